// Pages and Rust programs at the server of the npm package `peer`.

import assert from 'node:assert/strict';

import { browserNames } from '../lib/browsers.mjs';
import { Server } from '../lib/server.mjs';
import { Stage, on } from '../lib/stage.mjs';
import { carries, connected, freshId } from '../lib/tab.mjs';

class PeerServerStage extends Stage {
  startServer() {
    return Server.start({ name: 'peerserver' });
  }
}

for (const browserName of browserNames) {
  on(new PeerServerStage(browserName), define);
}

function define(stage) {
  for (const client of ['1.5.5', '0.3.14']) {
    stage.test(`${client}: data goes both ways, whoever began`, {}, async () => {
      const [tab, agent] = await pair(client);
      for (const [caller, callee] of [
        [tab, agent],
        [agent, tab],
      ]) {
        const [outbound, inbound] = await connected(caller, callee);
        await carries(outbound, inbound, ['nested', 'text', 'bytes']);
        await carries(inbound, outbound, ['nested', 'text', 'bytes']);
        await outbound.close();
        await inbound.sees('close');
      }
    });

    stage.test(`${client}: calls go both ways, whoever called`, {}, async () => {
      const [tab, agent] = await pair(client, { answer: { send: 'test' } });

      const fromPage = await tab.call(agent.id);
      const answered = await agent.endOf(fromPage);
      await Promise.all([fromPage.showsCall(), answered.receivesFrames()]);

      const fromProgram = await agent.call(tab.id);
      const answer = await tab.endOf(fromProgram);
      await Promise.all([answer.showsCall(), fromProgram.receivesFrames()]);
    });
  }

  stage.test('a program without an id is given one, sees who is there, and is found under it', {}, async () => {
    const tab = await stage.tab('1.5.5');
    await tab.open();
    const agent = await stage.agent({ id: undefined });

    assert.match(agent.id, /^[0-9a-f-]{36}$/);
    assert.deepEqual(new Set(await agent.ask('peers')), new Set([tab.id, agent.id]));
    await carries(...(await connected(tab, agent)), ['text']);
  });

  stage.test('an id that is taken is refused', {}, async () => {
    const agent = await stage.agent();
    const latecomer = stage.newAgent();
    await assert.rejects(latecomer.open(agent.id), /taken/i);
    assert.deepEqual(await latecomer.sees('error'), ['unavailable-id']);
    await latecomer.sees('close');
  });

  stage.test('both are told that nobody is there', {}, async () => {
    const [tab, agent] = await pair('1.5.5');

    await tab.begin(freshId('nobody'));
    const toNobody = await agent.begin(freshId('nobody'));

    assert.equal((await toNobody.sees('error')).type, 'peer-unavailable');
    await toNobody.sees('close');
    assert.deepEqual(await agent.sees('error'), ['peer-unavailable']);
    assert.deepEqual(await tab.sees('error'), ['peer-unavailable']);
  });

  async function pair(client, options) {
    const tab = await stage.tab(client);
    await tab.open();
    return [tab, await stage.agent(options)];
  }
}
