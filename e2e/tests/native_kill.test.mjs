// What is left of pages and Rust programs when something between or beside them is killed.

import assert from 'node:assert/strict';

import { launch } from '../lib/browsers.mjs';
import { inEveryBrowser } from '../lib/stage.mjs';
import { carries, connected } from '../lib/tab.mjs';

inEveryBrowser((stage) => {
  for (const client of ['1.5.5', '0.3.14']) {
    stage.test(`${client}: a call and its data outlive the server, and the program comes back to it`, {}, async () => {
      const { tab, agent, data, call } = await together(client);

      await stage.server.kill();
      await Promise.all([tab.sees('disconnected'), agent.sees('disconnected')]);
      assert.deepEqual(await agent.sees('error'), ['network']);
      const { decoded } = await call.inPage.showsCall();
      await Promise.all([call.inPage.showsCall(decoded + 30), call.inAgent.receivesFrames(undefined, 30)]);
      await carries(data.inPage, data.inAgent, ['nested', 'megabyte']);
      await carries(data.inAgent, data.inPage, ['nested', 'megabyte']);

      await stage.server.start();
      assert.deepEqual(await agent.sees('reconnected'), [agent.id]);
      await tab.reconnect();
      await tab.sees('open', 2);
      await carries(...(await connected(tab, agent)), ['nested']);
      await carries(...(await connected(agent, tab)), ['nested']);
      const later = (await call.inPage.showsCall()).decoded;
      await Promise.all([call.inPage.showsCall(later + 10), call.inAgent.receivesFrames()]);
    });
  }

  // Firefox says that a tab was closed, else it is the silence that tells; what it leads to is in slow/.
  stage.test('1.5.5: a program and a page learn that the other is gone', { timeout: 90_000 }, async () => {
    const browser = await launch(stage.browserName);
    const closed = await together('1.5.5');
    const left = await together('1.5.5');
    const killed = await together('1.5.5', { seat: { browser, host: '127.0.0.1' } });
    const orphaned = await together('1.5.5');

    await Promise.all([closed.tab.page.close(), left.tab.page.goto('about:blank'), orphaned.agent.kill()]);
    browser.process().kill('SIGKILL');

    for (const { data, call } of [closed, left, killed]) {
      await Promise.all([data.inAgent.seesNobody(), call.inAgent.seesNobody()]);
    }
    await Promise.all([orphaned.data.inPage.seesNobody(), orphaned.call.inPage.seesNobody()]);
  });

  stage.test('1.5.5: a page learns within a second that a program came to its end', {}, async () => {
    const { agent, data, call } = await together('1.5.5');
    await agent.close();
    const begin = performance.now();
    await Promise.all([data.inPage.sees('close'), call.inPage.sees('close')]);
    const millis = Math.round(performance.now() - begin);
    assert.ok(millis < 1000, `after ${millis} ms`);
  });

  // A page and a program with a data connection and a call between them.
  async function together(client, options) {
    const tab = await stage.tab(client, options);
    await tab.open();
    const agent = await stage.agent({ answer: { send: 'test' } });
    const [inPage, inAgent] = await connected(tab, agent);
    const outgoing = await tab.call(agent.id);
    const incoming = await agent.endOf(outgoing);
    await Promise.all([outgoing.showsCall(), incoming.receivesFrames()]);
    return { tab, agent, data: { inPage, inAgent }, call: { inPage: outgoing, inAgent: incoming } };
  }
});
