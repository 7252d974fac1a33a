// What becomes of a connection between two Rust peers when the network does what networks do: links go down, addresses
// change, NAT boxes are in the way, the server dies. All tests wait most of the time, so they run together.

import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';

import { bytesToTurn, ports, whyNoLan } from '../lib/lan.mjs';
import { testOnLan } from '../lib/lan_stage.mjs';
import { unlessPeerServer } from '../lib/server.mjs';
import { carries, connected } from '../lib/tab.mjs';

const MEGABYTE = 1024 * 1024;

const skip = unlessPeerServer('PeerServer relays nothing').skip || (await whyNoLan());

const together = { concurrency: true };

// Every peer, server and door says goodbye when this process ends.
process.setMaxListeners(0);

describe('Rust peers on hosts of their own', { skip, concurrency: true }, () => {
  describe('a link that goes down', together, () => {
    testOnLan('for 3 s costs nothing', async (stage) => {
      const { caller, outbound, inbound } = await neighbours(stage);
      const counts = [counting(outbound), counting(inbound)];

      await caller.host.sh('ip link set wire down');
      await delay(3000);
      await caller.host.sh('ip link set wire up');

      await arrive(inbound, await counts[0].stop(), 15_000);
      await arrive(outbound, await counts[1].stop(), 15_000);
      assertUnharmed(outbound, inbound);
    });

    const outages = {
      "the caller's interface": ({ caller }) => [
        () => caller.host.sh('ip link set wire down'),
        () => caller.host.sh('ip link set wire up'),
      ],
      'the cable to the caller': ({ caller, lan }) => [() => lan.unplug(caller.host), () => lan.plugIn(caller.host)],
      'the cable to the other': ({ callee, lan }) => [() => lan.unplug(callee.host), () => lan.plugIn(callee.host)],
    };
    for (const [what, outage] of Object.entries(outages)) {
      testOnLan(`for 30 s delays what was sent meanwhile: ${what}`, async (stage) => {
        const scene = await neighbours(stage);
        const { outbound, inbound } = scene;
        const [cut, mend] = outage(scene);
        const counts = [counting(outbound), counting(inbound)];

        await cut();
        await delay(30_000);
        await mend();

        // The ever longer pauses of SCTP, 1 s to 32 s, may have begun the last one just before.
        await arrive(inbound, await counts[0].stop(), 45_000);
        await arrive(outbound, await counts[1].stop(), 45_000);
        assertUnharmed(outbound, inbound);
      });
    }

    testOnLan('for good is told to both sides', async (stage) => {
      const { caller, outbound, inbound } = await neighbours(stage);

      const start = Date.now();
      await caller.host.sh('ip link set wire down');

      for (const link of [outbound, inbound]) {
        const { type, message } = await link.sees('error', 60_000);
        assert.equal(type, 'connection-closed');
        assert.match(message, /^the other peer has not answered for about 45 s/);
        await link.sees('close');
      }
      const seconds = (Date.now() - start) / 1000;
      assert.ok(seconds > 40 && seconds < 55, `they gave up after ${seconds} s`);
    });
  });

  describe('another address', together, () => {
    const moves = {
      'of the caller': ({ caller }) => [caller],
      'of the other': ({ callee }) => [callee],
      'of both': ({ caller, callee }) => [caller, callee],
    };
    for (const [whose, movers] of Object.entries(moves)) {
      testOnLan(`${whose} is told and used`, async (stage) => {
        const scene = await neighbours(stage);
        const { outbound, inbound } = scene;
        const counts = [counting(outbound), counting(inbound)];

        await Promise.all(movers(scene).map(({ host }) => move(host)));
        await delay(1000);

        await arrive(inbound, await counts[0].stop());
        await arrive(outbound, await counts[1].stop());
        assertUnharmed(outbound, inbound);
      });
    }
  });

  describe('NAT', together, () => {
    testOnLan('that keeps ports lets peers meet without a relay', async (stage) => {
      const { caller, callee, outbound, inbound } = await behindNat(stage, [ports.kept], [ports.kept]);

      await carryMegabytes(outbound, inbound);

      assert.deepEqual(await path(outbound), { local: caller.host.address, remote: callee.host.box.address });
      assert.deepEqual(await path(inbound), { local: callee.host.address, remote: caller.host.box.address });
      assert.deepEqual(await transportsOfMegabytes(caller, callee), []);
    });

    testOnLan('that shuffles ports makes them meet at the relay', async (stage) => {
      const { caller, callee, outbound, inbound } = await behindNat(stage, [ports.shuffled], [ports.shuffled]);

      await carryMegabytes(outbound, inbound);

      await assertRelayed(stage, outbound, inbound);
      assert.deepEqual(await transportsOfMegabytes(caller, callee), ['udp']);
    });

    testOnLan('where UDP is blocked leaves the relay over TCP', async (stage) => {
      const blocked = ['meta l4proto udp'];
      const { caller, callee, outbound, inbound } = await behindNat(stage, [ports.kept, blocked], [ports.kept]);

      await carryMegabytes(outbound, inbound);

      await assertRelayed(stage, outbound);
      assert.deepEqual(await transportsOfMegabytes(caller), ['tcp']);
    });

    testOnLan(
      'where UDP and the port of TURN are blocked leaves the relay over TLS',
      async (stage) => {
        const blocked = ['meta l4proto udp', 'tcp dport 3478'];
        const { caller, outbound, inbound } = await behindNat(stage, [ports.kept, blocked], [ports.kept, blocked]);

        await carryMegabytes(outbound, inbound);

        await assertRelayed(stage, outbound, inbound);
        assert.deepEqual(await transportsOfMegabytes(caller), ['tls']);
      },
      { tls: true },
    );
  });

  describe('a server that is killed and started again', together, () => {
    testOnLan('leaves connections alone and knows its peers again', async (stage) => {
      const { caller, callee, outbound, inbound } = await neighbours(stage);
      const counts = [counting(outbound), counting(inbound)];

      await stage.server.kill();
      await Promise.all([caller, callee].map((peer) => peer.sees('disconnected')));
      await stage.server.start();

      for (const peer of [caller, callee]) assert.deepEqual(await peer.sees('reconnected'), [peer.id]);
      await arrive(inbound, await counts[0].stop());
      await arrive(outbound, await counts[1].stop());
      assertUnharmed(outbound, inbound);
      await connected(callee, caller);
    });

    testOnLan('costs relayed connections no more than the time', async (stage) => {
      const { outbound, inbound } = await behindNat(stage, [ports.shuffled], [ports.shuffled]);
      const counts = [counting(outbound), counting(inbound)];

      await stage.server.kill();
      await delay(2000);
      await stage.server.start();

      await arrive(inbound, await counts[0].stop(), 60_000);
      await arrive(outbound, await counts[1].stop(), 60_000);
      assertUnharmed(outbound, inbound);
    });
  });
});

// A peer on each of two hosts of the link, and a connection between them.
async function neighbours(stage) {
  return withConnection(stage, await stage.lan.host(), await stage.lan.host());
}

// The same, each behind a NAT box of its own: what it does with ports, and what it blocks.
async function behindNat(stage, box, otherBox) {
  const { lan } = stage;
  return withConnection(stage, await lan.hostBehindNat(...box), await lan.hostBehindNat(...otherBox));
}

async function withConnection(stage, ...hosts) {
  const [caller, callee] = await Promise.all(hosts.map((host) => stage.peer(host)));
  const [outbound, inbound] = await connected(caller, callee, { reliable: true });
  return { lan: stage.lan, caller, callee, outbound, inbound };
}

async function move(host) {
  const address = host.address.replace('45.0.0.', '45.0.0.1');
  await host.sh(`
    ip address delete ${host.address}/24 dev wire
    ip address add ${address}/24 dev wire`);
}

// Sends 1, 2, 3 .. until it is stopped, and resolves then to how many.
function counting(link) {
  let running = true;
  const result = (async () => {
    let count = 0;
    for (; running; await delay(100)) {
      count += 1;
      await link.tab.ask('send', { link: link.index, value: count });
    }
    return count;
  })();
  // Where the test has failed already, nobody asks.
  result.catch(() => {});
  return {
    stop() {
      running = false;
      return result;
    },
  };
}

// Waits for 1, 2, 3 .. up to `count` and nothing else.
async function arrive(link, count, patience) {
  await link.receives(count, patience);
  const { received } = link.tab.links[link.index];
  assert.deepEqual(
    received,
    Array.from({ length: count }, (_, index) => index + 1),
  );
}

// Nobody was told of an end or an error.
function assertUnharmed(...links) {
  for (const link of links) {
    const names = link.tab.links[link.index].events.map(([name]) => name);
    assert.deepEqual([...new Set(names)].sort(), ['ice', 'open'], `events of ${link.tab.name}`);
  }
}

async function carryMegabytes(...links) {
  await carries(links[0], links[1], ['megabyte']);
  await carries(links[1], links[0], ['megabyte']);
}

// Where the path of a connection begins and ends.
async function path(link) {
  let stats;
  await link.tab.until(`a path on connection ${link.index}`, async () => {
    stats = await link.stats();
    return stats.localAddress;
  });
  const host = (address) => address.split(':')[0];
  return { local: host(stats.localAddress), remote: host(stats.remoteAddress) };
}

// One end of the path, or both, is a relay of the server.
async function assertRelayed({ lan }, ...links) {
  for (const link of links) {
    assert.ok(Object.values(await path(link)).includes(lan.hub.address), JSON.stringify(await path(link)));
  }
}

// How those megabytes went to the TURN server that did.
async function transportsOfMegabytes(...peers) {
  const bytes = await Promise.all(peers.map(({ host }) => bytesToTurn(host)));
  const used = bytes.flatMap((bytes) => Object.keys(bytes).filter((transport) => bytes[transport] > MEGABYTE));
  return [...new Set(used)];
}
