// Rooms of mode SFU, of pages with the last skyway-js.

import assert from 'node:assert/strict';

import { BOTH, sections } from '../lib/sfu.mjs';
import { allGetAll, CLIENT, inRooms, KEY_OF_ONE, othersOf } from '../lib/sfu_stage.mjs';
import { freshId } from '../lib/tab.mjs';

inRooms((stage) => {
  for (const count of [2, 3, 5]) {
    stage.test(`${count} join one after the other and see and hear each other`, { timeout: 120_000 }, async () => {
      const members = await stage.enter(freshId('部屋/'), await stage.crowd(count));

      await allGetAll(members);

      await everyStreamWasToldOnce(members);
    });
  }

  stage.test('five join at the same moment and see and hear each other', { timeout: 120_000 }, async () => {
    const tabs = await stage.crowd(5);
    const name = freshId('rush');

    const members = await Promise.all(tabs.map((tab) => tab.enter(name)));

    await allGetAll(members);
    await everyStreamWasToldOnce(members);
  });

  stage.test('who comes late to one who only shows sees the first picture soon', {}, async (context) => {
    const tabs = await stage.crowd(2);
    const [alice] = await stage.enter(freshId('room'), tabs.slice(0, 1), { kinds: ['video'] });
    await alice.path();

    const waits = [];
    for (let round = 0; round < 5; round += 1) {
      const bob = await tabs[1].enter(alice.room, { kinds: [] });
      const [view] = await bob.gets([alice]);
      assert.deepEqual(view.kinds, ['video']);
      waits.push(Math.round(view.firstAfter));
      await bob.close();
    }

    context.diagnostic(`from joining to the first decoded picture, in ms: ${waits}`);
    assert.ok(Math.max(...waits) < 2000, `${waits} ms`);
  });

  stage.test('who comes late to a picture of two megabits per second sees it move on', {}, async (context) => {
    const [alice, bob] = await stage.crowd(2);
    const [publisher] = await stage.enter(freshId('room'), [alice], { kinds: ['video'], busy: true });
    await publisher.tab.until(
      'so much to be sent',
      async (index) => {
        const report = (await e2e.rtcOf(e2e.rooms[index].room)?.getStats()) ?? new Map();
        return [...report.values()].some(({ type, targetBitrate }) => type === 'outbound-rtp' && targetBitrate > 2e6);
      },
      publisher.index,
    );

    const [viewer] = await stage.enter(publisher.room, [bob], { kinds: [] });

    await viewer.gets([publisher], { pictures: 50 });
    const { firstAfter, longestPause } = await viewer.viewOf(publisher);
    context.diagnostic(`the first picture after ${firstAfter} ms, the longest pause ${longestPause} ms`);
    assert.ok(longestPause < 2000, `a pause of ${longestPause} ms`);
  });

  stage.test('who publishes nothing gets all, and nobody is told a stream of theirs', {}, async () => {
    const tabs = await stage.crowd(3);
    const name = freshId('room');
    const [listener] = await stage.enter(name, tabs.slice(0, 1), { kinds: [] });
    const others = await stage.enter(name, tabs.slice(1));

    await allGetAll([listener, ...others]);

    const ids = new Set((await Promise.all(others.map((other) => other.told()))).flat(2));
    assert.ok(!ids.has(listener.id));
  });

  for (const kinds of [['audio'], ['video']]) {
    stage.test(`a stream of ${kinds} alone has nothing else in it`, {}, async () => {
      const [alice, bob] = await stage.enter(freshId('room'), await stage.crowd(2), { kinds });

      await allGetAll([alice, bob]);

      assert.deepEqual(await bob.told(), [[alice.id, ...kinds]]);
    });
  }

  stage.test('one leaves and comes back, with a stream of a new name', { timeout: 90_000 }, async () => {
    const members = await stage.enter(freshId('room'), await stage.crowd(3));
    const [alice, bob, carol] = members;
    await allGetAll(members);
    const { stream } = await alice.viewOf(carol);

    await carol.close();

    for (const other of [alice, bob]) assert.deepEqual(await other.sees('peerLeave'), [carol.id]);
    await allGetAll([alice, bob]);
    // Its goodbye to the media is faster than its leave.
    assert.deepEqual(await carol.tab.errors(), []);
    const again = await carol.tab.enter(alice.room);
    await allGetAll([alice, bob, again]);
    assert.notEqual((await alice.viewOf(again)).stream, stream);
  });

  stage.test('twenty come and go, and descriptions do not grow', { timeout: 180_000 }, async (context) => {
    const tabs = await stage.crowd(3);
    const name = freshId('room');
    const stayers = await stage.enter(name, tabs.slice(0, 2));
    await allGetAll(stayers);

    const waits = [];
    for (let round = 0; round < 20; round += 1) {
      const guest = await tabs[2].enter(name);
      await Promise.all(stayers.map((stayer) => stayer.gets([...othersOf(stayer, stayers), guest], { pictures: 2 })));
      waits.push(Math.round((await guest.gets(stayers, { pictures: 2 }))[0].firstAfter));
      await guest.close();
      await stayers[0].sees('peerLeave', round + 1);
    }

    context.diagnostic(`from joining to the first decoded picture, in ms: ${waits.sort((a, b) => a - b)}`);
    for (const stayer of stayers) {
      const { media } = sections((await stayer.offers()).at(-1).offer.sdp);
      // Two for what it sends, two for each that was there at the same time, and two that may still have been on their way
      // to `inactive` when the next guest came.
      assert.ok(media.length <= 8, `${media.length} lines`);
    }
    await allGetAll(stayers);
  });

  stage.test('some leave before anything has come of their joining', { timeout: 90_000 }, async () => {
    const tabs = await stage.crowd(3);
    const name = freshId('room');
    const stayers = await stage.enter(name, tabs.slice(0, 2));

    for (let round = 0; round < 10; round += 1) {
      const [guest] = await stage.enter(name, [tabs[2]]);
      await guest.close();
    }

    await stayers[0].sees('peerLeave', 10);
    const [guest] = await stage.enter(name, [tabs[2]]);
    await allGetAll([...stayers, guest]);
  });

  stage.test('a page that is closed leaves', {}, async () => {
    const [alice, bob, carol] = await stage.enter(freshId('room'), await stage.crowd(3));
    await allGetAll([alice, bob, carol]);

    await carol.tab.run(() => e2e.peer.destroy());

    await alice.sees('peerLeave');
    await allGetAll([alice, bob]);
  });

  stage.test('a line to the server that breaks for a moment disturbs no picture', {}, async () => {
    const tabs = [await stage.tabOnCable(), ...(await stage.crowd(1))];
    await tabs[0].open();
    const [alice, bob] = await stage.enter(freshId('room'), tabs);
    await allGetAll([alice, bob]);
    const offers = (await bob.offers()).length;

    tabs[0].cable.cut();
    await tabs[0].isCutOff();
    await tabs[0].connects();

    for (const member of [alice, bob]) await member.blink();
    await allGetAll([alice, bob]);
    assert.equal((await bob.offers()).length, offers);
    await alice.send('text');
    await bob.receives(1);
    const [carol] = await stage.enter(alice.room, await stage.crowd(1));
    await allGetAll([alice, bob, carol]);
  });

  stage.test('one publishes later, and more, and less', { timeout: 90_000 }, async () => {
    const [alice, bob, carol] = await stage.enter(freshId('room'), await stage.crowd(3), { kinds: [] });
    await Promise.all([alice, bob, carol].map((member) => member.path()));

    await alice.publish(['audio']);
    await allGetAll([alice, bob, carol]);

    await alice.publish(BOTH);
    await allGetAll([alice, bob, carol]);

    await bob.publish(['video']);
    await allGetAll([alice, bob, carol]);

    await alice.publish(['audio']);
    await allGetAll([alice, bob, carol]);
  });

  stage.test('another camera shows without a word to anybody', {}, async () => {
    const [alice, bob] = await stage.enter(freshId('room'), await stage.crowd(2));
    await allGetAll([alice, bob]);
    const offers = (await bob.offers()).length;

    await alice.tab.run(async (index) => {
      const { room } = e2e.rooms[index];
      room.replaceStream(await e2e.media(255, ['audio', 'video']));
    }, alice.index);

    await bob.tab.until(
      'the other camera',
      (index) => e2e.rooms[index].seen[0].view.marks.includes(255),
      bob.index,
    );
    assert.equal((await bob.offers()).length, offers);
  });

  stage.test('what one says reaches the others and is in the log', {}, async () => {
    const [alice, bob, carol] = await stage.enter(freshId('room'), await stage.crowd(3));

    const data = [await alice.send('nested'), await alice.send('200 kB')];

    const sent = data.map((data) => ({ src: alice.id, data }));
    for (const other of [bob, carol]) assert.deepEqual(await other.receives(2), sent);
    assert.deepEqual(await alice.received(), []);
    assert.deepEqual(
      (await bob.log()).map(({ messageType, message }) => [messageType, message.src]),
      [
        ...[alice, bob, carol].map(({ id }) => ['ROOM_USER_JOIN', id]),
        ['ROOM_DATA', alice.id],
        ['ROOM_DATA', alice.id],
      ],
    );
  });

  stage.test('a room is SFU or mesh, not both', {}, async () => {
    const [alice, bob] = await stage.crowd(2);
    const name = freshId('room');
    await stage.enter(name, [alice]);

    await bob.join(name, { mode: 'mesh', receiveOnly: true });

    await bob.sees('error');
    assert.deepEqual(
      (await bob.errors()).map(({ type }) => type),
      ['room-error'],
    );
  });

  stage.test('who is one too many to publish is told, gets the others, and comes when there is room', {}, async () => {
    const tabs = [await stage.tab(CLIENT), await stage.tab(CLIENT), await stage.tab(CLIENT)];
    for (const tab of tabs) tab.options.key = KEY_OF_ONE;
    await Promise.all([tabs[0].open(), tabs[1].open()]);
    const [alice] = await stage.enter(freshId('room'), tabs.slice(0, 1));
    await alice.path();

    const [bob] = await stage.enter(alice.room, tabs.slice(1, 2));
    const carol = await tabs[2].enterByFrames(alice.room);

    for (const other of [bob, carol]) await other.gets([alice]);
    assert.deepEqual(await bob.tab.sees('error'), ['room-error']);
    assert.match((await bob.tab.errors())[0].message, /the limit is 1 publishers$/);
    assert.deepEqual(await carol.sees('error'), ['publishers_full']);
    assert.deepEqual(await alice.told(), []);
    await carol.close();
    await alice.close();
    const [again] = await stage.enter(alice.room, [alice.tab], { kinds: [] });
    await again.gets([bob]);
    assert.equal((await bob.tab.errors()).length, 1);
  });

  stage.test('an offer is as skyway-js needs it', {}, async () => {
    const members = await stage.enter(freshId('room'), await stage.crowd(3));
    await allGetAll(members);

    for (const member of members) {
      const offers = await member.offers();
      const sdps = offers.map(({ offer }) => offer.sdp);
      assert.equal(new Set(sdps).size, sdps.length, 'an offer equals an earlier one');
      for (const { offer, msids } of offers) {
        assert.equal(offer.type, 'offer');
        checkOffer(offer.sdp, msids, member.id);
      }
      const others = othersOf(member, members).map(({ id }) => id);
      assert.deepEqual(Object.values(offers.at(-1).msids).sort(), others.sort());
    }
  });
});

async function everyStreamWasToldOnce(members) {
  for (const member of members) {
    const told = (await member.told()).sort();
    const expected = othersOf(member, members).map(({ id }) => [id, 'audio', 'video']);
    assert.deepEqual(told, expected.sort());
  }
}

function checkOffer(sdp, msids, receiver) {
  const { session, media } = sections(sdp);
  assert.ok(session.includes('a=ice-lite'), 'not ICE-lite');
  const mids = media.map(({ mid }) => mid);
  assert.ok(session.includes(`a=group:BUNDLE ${mids.join(' ')}`), `not all of ${mids} are bundled`);

  const [first, second, ...others] = media;
  assert.deepEqual([first.kind, second.kind].sort(), ['audio', 'video']);
  for (const { direction, lines } of [first, second]) {
    assert.equal(direction, 'recvonly');
    // Chromium would answer `inactive`.
    assert.ok(!lines.some((line) => /^a=(simulcast|rid)/.test(line)), 'simulcast');
  }
  assert.ok(first.lines.some((line) => /^a=candidate:.* typ host/.test(line)));
  assert.ok(first.lines.includes('a=end-of-candidates'));
  for (const { lines } of media) {
    for (const line of ['a=rtcp-mux', 'a=setup:actpass']) assert.ok(lines.includes(line), `no ${line}`);
    assert.ok(lines.some((line) => /^a=extmap:\d+ urn:ietf:params:rtp-hdrext:sdes:mid$/.test(line)));
  }

  const streams = new Set();
  for (const { direction, msid } of others) {
    assert.match(direction, /^(sendonly|inactive)$/);
    if (direction === 'sendonly') streams.add(msid.split(' ')[0]);
  }
  assert.deepEqual(Object.keys(msids).sort(), [...streams].sort());
  // skyway-js would overlook those after it.
  assert.ok(!Object.values(msids).includes(receiver));
}
