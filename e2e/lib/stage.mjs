// The stage of a test file: for every browser one launch, one server under test and one page server.

import { after, before, describe, test } from 'node:test';

import { Agent } from './agent.mjs';
import { browserNames, ended, launch } from './browsers.mjs';
import { isSkyway } from './builds.mjs';
import { Pages } from './pages.mjs';
import { Server } from './server.mjs';
import { SkywayTab } from './skyway.mjs';
import { Tab } from './tab.mjs';

export function inEveryBrowser(define) {
  for (const name of browserNames) {
    on(new Stage(name), define);
  }
}

// Tests on a stage; `options` as of `describe`.
export function on(stage, define, options = {}) {
  describe(stage.browserName, options, () => {
    // A browser may need two attempts.
    before(() => stage.raise(), { timeout: 120_000 });
    after(() => stage.strike(), { timeout: 60_000 });
    define(stage);
  });
}

export class Stage {
  #tabs = [];

  // Where tabs can be: in a browser, and with the server under an address. The first is for the first of a pair, the
  // last for the other.
  seats = [];

  constructor(browserName) {
    this.browserName = browserName;
  }

  async raise() {
    this.server = await this.startServer();
    this.pages = await Pages.start();
    this.seats = [{ browser: await launch(this.firstBrowser), host: '127.0.0.1' }];
  }

  get firstBrowser() {
    return this.browserName;
  }

  startServer() {
    return Server.start();
  }

  // What holds a page with this client.
  tabClass(client) {
    return isSkyway(client) ? SkywayTab : Tab;
  }

  async strike() {
    await Promise.allSettled([...this.seats.map(({ browser }) => ended(browser)), this.pages?.stop()]);
    await this.server?.stop();
  }

  // A failed test tells what its tabs and the server said.
  test(name, options, body) {
    test(name, { timeout: 60_000, ...options }, async (context) => {
      try {
        await body(context);
      } catch (error) {
        throw new Error(`${error.message}\n${await this.#testimony()}`, { cause: error });
      } finally {
        await Promise.allSettled(this.#tabs.splice(0).map((tab) => tab.close()));
      }
    });
  }

  // A page with the given client loaded and no peer yet. `port`: of what leads to the server. A page that is a `userAgent`
  // says so to everybody.
  async tab(client, { seat = this.seats[0], port = this.server.port, userAgent, ...options } = {}) {
    const name = `${client} tab ${this.#tabs.length + 1}`;
    const { browser, host } = seat;
    const page = await browser.newPage();
    if (userAgent) await page.setUserAgent({ userAgent });
    const tab = new (this.tabClass(client))(name, client, page, { host, port });
    this.#tabs.push(tab);
    await tab.load(this.pages.urlFor(client, { host, ...options }));
    return tab;
  }

  // A Rust program that is no peer yet.
  newAgent() {
    const agent = new Agent(`agent ${this.#tabs.length + 1}`, this.server);
    this.#tabs.push(agent);
    return agent;
  }

  // A Rust program whose peer is open.
  async agent(options = {}) {
    const agent = this.newAgent();
    await agent.open(undefined, options);
    return agent;
  }

  // Two tabs whose peers are open.
  async pair(client, otherClient = client, options = {}) {
    const tabs = [
      await this.tab(client, options),
      await this.tab(otherClient, { seat: this.seats.at(-1), ...options }),
    ];
    await Promise.all(tabs.map((tab) => tab.open()));
    return tabs;
  }

  async #testimony() {
    const tabs = await Promise.all(this.#tabs.map((tab) => tab.testimony()));
    return [...tabs, ...(await this.evidence()), `server:\n${this.server.lastOutput}`].join('\n---\n');
  }

  // What else a failed test tells.
  async evidence() {
    return [];
  }
}
