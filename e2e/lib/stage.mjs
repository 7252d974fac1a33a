// The stage of a test file: for every browser one launch, one server under test and one page server.

import { after, before, describe, test } from 'node:test';

import { browserNames, launch } from './browsers.mjs';
import { Pages } from './pages.mjs';
import { Server } from './server.mjs';
import { Tab } from './tab.mjs';

export function inEveryBrowser(define) {
  for (const name of browserNames) {
    describe(name, () => {
      const stage = new Stage(name);
      before(() => stage.raise(), { timeout: 60_000 });
      after(() => stage.strike(), { timeout: 60_000 });
      define(stage);
    });
  }
}

class Stage {
  #tabs = [];

  constructor(browserName) {
    this.browserName = browserName;
  }

  async raise() {
    this.server = await Server.start();
    this.pages = await Pages.start();
    this.browser = await launch(this.browserName);
  }

  async strike() {
    await Promise.allSettled([this.browser?.close(), this.pages?.stop()]);
    await this.server?.stop();
  }

  // A failed test tells what its tabs and the server said.
  test(name, options, body) {
    test(name, { timeout: 60_000, ...options }, async () => {
      try {
        await body();
      } catch (error) {
        throw new Error(`${error.message}\n${await this.#testimony()}`, { cause: error });
      } finally {
        await Promise.allSettled(this.#tabs.splice(0).map((tab) => tab.close()));
      }
    });
  }

  // A page with the given PeerJS loaded and no peer yet.
  async tab(client, options) {
    const name = `${client} tab ${this.#tabs.length + 1}`;
    const tab = new Tab(name, client, await this.browser.newPage(), this.server.port);
    this.#tabs.push(tab);
    await tab.load(this.pages.urlFor(client, options));
    return tab;
  }

  // Two tabs whose peers are open.
  async pair(client, otherClient = client, options = {}) {
    const tabs = [await this.tab(client, options), await this.tab(otherClient, options)];
    await Promise.all(tabs.map((tab) => tab.open()));
    return tabs;
  }

  async #testimony() {
    const tabs = await Promise.all(this.#tabs.map((tab) => tab.testimony()));
    return [...tabs, `server:\n${this.server.lastOutput}`].join('\n---\n');
  }
}
