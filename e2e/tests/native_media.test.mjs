// Calls between pages and Rust programs: pictures and sound go both ways, whoever called.

import assert from 'node:assert/strict';

import { inEveryBrowser } from '../lib/stage.mjs';

const test = { send: 'test' };
const echo = { send: 'echo' };

inEveryBrowser((stage) => {
  for (const client of ['1.5.5', '0.3.14']) {
    stage.test(`${client}: a page calls a program and sees its numbered pictures`, {}, async () => {
      const [tab, agent] = await pair(client, { answer: test });

      const outgoing = await tab.call(agent.id);
      const incoming = await agent.endOf(outgoing);

      await Promise.all([showsTheTestSource(outgoing), receivesWhole(incoming)]);
    });

    stage.test(`${client}: a program calls a page, which sees its numbered pictures`, {}, async () => {
      const [tab, agent] = await pair(client);

      const outgoing = await agent.call(tab.id, { ...test, metadata: { from: 'a program' } });
      const incoming = await tab.endOf(outgoing);

      await Promise.all([showsTheTestSource(incoming), receivesWhole(outgoing)]);
      assert.deepEqual((await incoming.facts()).metadata, { from: 'a program' });
    });

    stage.test(`${client}: a page sees itself when the program sends everything back`, {}, async () => {
      const [tab, agent] = await pair(client, { answer: echo });

      const outgoing = await tab.call(agent.id);
      const incoming = await agent.endOf(outgoing);

      const { size } = await outgoing.showsCall(20);
      await receivesWhole(incoming);
      assert.ok(size[0] > 0 && size[1] > 0);
    });
  }

  // Firefox has no H264 of its own.
  for (const codecs of [
    ['vp9', 'pcmu'],
    ['av1', 'pcma'],
    ...(stage.browserName === 'firefox' ? [] : [['h264', 'opus']]),
  ]) {
    stage.test(`1.5.5: a page sees itself in ${codecs.join(' and ')}`, {}, async () => {
      const [tab, agent] = await pair('1.5.5', { answer: { ...echo, codecs } });

      const outgoing = await tab.call(agent.id);
      const incoming = await agent.endOf(outgoing);

      await Promise.all([outgoing.showsCall(), incoming.receivesFrames(codecs, 10)]);
    });
  }

  stage.test('1.5.5: hanging up at one end ends the call at the other within a second', {}, async () => {
    const [tab, agent] = await pair('1.5.5', { answer: test });
    for (const [caller, callee] of [
      [tab, agent],
      [agent, tab],
    ]) {
      for (const callerCloses of [true, false]) {
        const outgoing = await caller.call(callee.id);
        const incoming = await callee.endOf(outgoing);
        const [closing, other] = callerCloses ? [outgoing, incoming] : [incoming, outgoing];
        const inPage = caller === tab ? outgoing : incoming;
        await inPage.showsCall();

        const begin = performance.now();
        await closing.close();
        await other.sees('close');
        const millis = Math.round(performance.now() - begin);
        assert.ok(millis < 1000, `${other.tab.name} saw it after ${millis} ms`);
      }
    }
  });

  stage.test('1.5.5: a program that only receives is sent pictures and sound', {}, async () => {
    const [tab, agent] = await pair('1.5.5', { answer: { send: 'nothing' } });

    const outgoing = await tab.call(agent.id);
    await receivesWhole(await agent.endOf(outgoing));
    const incoming = await agent.call(tab.id, { send: 'nothing' });
    await receivesWhole(incoming);
  });

  stage.test('1.5.5: an unanswered call rings until the program answers', {}, async () => {
    const [tab, agent] = await pair('1.5.5');
    const outgoing = await tab.call(agent.id);
    const incoming = await agent.endOf(outgoing);
    assert.equal(await incoming.answer(echo), true);
    await outgoing.showsCall();
    assert.equal(await incoming.answer(echo), false);
  });

  async function pair(client, options) {
    const tab = await stage.tab(client);
    await tab.open();
    return [tab, await stage.agent(options)];
  }
});

// The pictures are the ones that were sent, in their size, and they go on.
async function showsTheTestSource(link) {
  const first = await link.showsCall();
  assert.deepEqual(first.size, [640, 360]);
  assert.notEqual(first.number, null, 'the picture has no readable number');
  const later = await link.showsCall(first.decoded + 15);
  assert.ok(later.number > first.number, `picture ${later.number} came after picture ${first.number}`);
  assert.ok(later.audioEnergy > 0, 'the sound is silence');
}

async function receivesWhole(link) {
  const { vp8 } = await link.receivesFrames(['vp8', 'opus'], 20);
  assert.ok(vp8.keyFrames > 0, 'there was no key frame');
}
