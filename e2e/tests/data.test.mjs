// Data connections: what goes in at one end comes out at the other, and both ends learn of the close.

import { inEveryBrowser } from '../lib/stage.mjs';
import { carries, connected } from '../lib/tab.mjs';

const plain = ['nested', 'numbers', 'text'];
const binary = [...plain, 'bytes', 'megabyte', 'megabyte view'];

// Before 1.5 BinaryPack breaks strings outside the BMP, so only 1.5 sends "emoji".
const serializations = {
  '1.5.5': {
    binary: [...binary, 'emoji'],
    'binary-utf8': [...binary, 'emoji'],
    json: [...plain, 'emoji'],
    raw: ['text', 'emoji', 'bytes'],
  },
  '0.3.14': {
    binary,
    'binary-utf8': binary,
    json: [...plain],
    none: ['text', 'bytes'],
  },
  '1.4.7': { binary },
  '2.0.0-beta.3': { binary },
};

inEveryBrowser((stage) => {
  for (const [client, kinds] of Object.entries(serializations)) {
    for (const [serialization, samples] of Object.entries(kinds)) {
      stage.test(`${client}: ${serialization} carries every value both ways`, {}, async () => {
        const [alice, bob] = await stage.pair(client);
        const [outbound, inbound] = await connected(alice, bob, { serialization });

        await carries(outbound, inbound, samples);
        await carries(inbound, outbound, samples);
      });
    }
  }

  stage.test('1.5.5: MsgPack carries every value both ways', {}, async () => {
    const tabs = [await stage.tab('1.5.5'), await stage.tab('1.5.5')];
    for (const tab of tabs) {
      await tab.run(async () => Object.assign(window, await import('/peerjs/1.5.5/dist/serializer.msgpack.mjs')));
      await tab.open(undefined, { serializers: ['MsgPack'] });
    }
    const [outbound, inbound] = await connected(...tabs, { serialization: 'MsgPack' });

    // A bare ArrayBuffer is an empty map to MsgPack, a view is not.
    await carries(outbound, inbound, [...plain, 'emoji', 'megabyte view']);
    await carries(inbound, outbound, [...plain, 'emoji', 'megabyte view']);
  });

  for (const client of ['1.5.5', '0.3.14']) {
    stage.test(`${client}: a close at one end is seen at the other`, {}, async () => {
      const [alice, bob] = await stage.pair(client);
      const [first, firstEnd] = await connected(alice, bob);
      await first.close();
      await firstEnd.sees('close');

      const [second, secondEnd] = await connected(alice, bob);
      await secondEnd.close();
      await second.sees('close');
    });
  }

  // json is text before 1.5 and binary since, so the generations share only `binary`.
  for (const [caller, callee] of [
    ['0.3.14', '1.5.5'],
    ['1.5.5', '0.3.14'],
  ]) {
    stage.test(`${caller} and ${callee} exchange binary data`, {}, async () => {
      const [alice, bob] = await stage.pair(caller, callee);
      const [outbound, inbound] = await connected(alice, bob);

      await carries(...speaking('1.5.5', outbound, inbound), binary);
      // In Firefox 0.3 sends binary as text strings, which 1.5 does not read.
      if (stage.browserName !== 'firefox') {
        await carries(...speaking('0.3.14', outbound, inbound), binary);
      }
    });
  }
});

const speaking = (client, one, other) => (one.tab.client === client ? [one, other] : [other, one]);
