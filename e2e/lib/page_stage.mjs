// A stage for the server's own page, with people who look at it.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

import { browserNames } from './browsers.mjs';
import { freeTcpPort } from './ports.mjs';
import { onlyPeerway, Server } from './server.mjs';
import { on, Stage } from './stage.mjs';
import { Tab } from './tab.mjs';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

export function atThePage(define) {
  for (const name of browserNames) on(new PageStage(name), define, onlyPeerway('only peerway has this page'));
}

class PageStage extends Stage {
  async startServer() {
    // Not on the loopback interface alone, which Firefox does not use where there is another.
    return Server.start({
      apps: [{ key: 'peerjs' }],
      tables: { sfu: { udp: [`${await freeTcpPort()}`] } },
      flags: ['--no-turn'],
    });
  }

  tabClass() {
    return Visitor;
  }

  // Somebody whose page is online. `scheme`: `dark` or `light`.
  async visitor({ url = this.server.url, viewport, scheme } = {}) {
    const visitor = await this.tab('1.5.5');
    if (viewport) await visitor.page.setViewport(viewport);
    if (scheme) await visitor.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
    await visitor.visit(url);
    return visitor;
  }

  // Two who are connected, the second by the first one's link.
  async pairOfVisitors(options = {}) {
    const host = await this.visitor(options.host);
    const guest = await this.visitor({ ...options.guest, url: await host.link() });
    await guest.sees(`${host.id} is here`);
    await host.sees(`${guest.id} is here`);
    return [host, guest];
  }
}

class Visitor extends Tab {
  async visit(url) {
    await this.load(url);
    await this.#online();
  }

  async reload() {
    await this.page.bringToFront();
    await this.page.reload();
    await this.#online();
  }

  async #online() {
    const state = await this.until('that it is online', () => {
      const text = document.querySelector('#state')?.textContent ?? '';
      return text.startsWith('online as ') && text;
    });
    this.id = state.split(' ').at(-1);
  }

  link() {
    return this.run(() => document.querySelector('#link').value);
  }

  // A word of the conversation, or of the visible part of the page.
  sees(text, patience) {
    return this.within(
      patience,
      JSON.stringify(text),
      (text) => document.querySelector('main').innerText.includes(text),
      text,
    );
  }

  // What has this text and can be seen.
  async press(text) {
    await this.page.bringToFront();
    const found = await this.until(
      `a button ${text}`,
      (text) => {
        const index = [...document.querySelectorAll('button')].findIndex(
          (it) => it.textContent === text && it.checkVisibility(),
        );
        return index + 1;
      },
      text,
    );
    const buttons = await this.page.$$('button');
    await buttons[found - 1].click();
  }

  async open(tab) {
    await this.page.bringToFront();
    await this.page.click(`#view-${tab}-tab`);
  }

  async type(selector, text) {
    await this.page.bringToFront();
    await this.page.type(selector, text);
  }

  async say(text, where = '#view-devices') {
    await this.type(`${where} .chat input[type=text]`, text);
    await this.page.keyboard.press('Enter');
  }

  async send(path) {
    await this.page.bringToFront();
    // The button opens the browser's own dialogue, which no test can reach.
    await this.run(() => document.querySelector('input[type=file]').toggleAttribute('hidden', false));
    const input = await this.page.$('input[type=file]');
    await input.uploadFile(path);
    await this.run(() => document.querySelector('input[type=file]').toggleAttribute('hidden', true));
  }

  // Moving pictures, as many, of others.
  async watches(count = 1, where = 'main') {
    await this.page.bringToFront();
    await this.within(
      30_000,
      `${count} moving pictures`,
      (count, where) => {
        const videos = document.querySelectorAll(`${where} .tile:not(.mine) video`);
        return (
          [...videos].filter((it) => it.checkVisibility() && it.videoWidth > 0 && it.currentTime > 0).length === count
        );
      },
      count,
      where,
    );
  }

  // What has the focus.
  focus() {
    return this.run(() => document.activeElement.textContent || document.activeElement.id);
  }

  async keys(...names) {
    for (const name of names) await this.page.keyboard.press(name);
  }

  // The rules of axe-core, or only these, but for what is only advice.
  async assertAccessible(where, rules) {
    await this.page.bringToFront();
    await this.page.evaluate(await readFile(AXE, 'utf8'));
    const found = await this.run(async (rules) => {
      const { violations } = await axe.run(rules ? { runOnly: rules } : {});
      return violations.map(({ id, impact, nodes }) => [impact, id, nodes[0].html]);
    }, rules);
    assert.deepEqual(
      found.filter(([impact]) => impact !== 'minor'),
      [],
      where,
    );
  }

  async testimony() {
    const text = await this.run(() => document.body.innerText).catch((error) => error.message);
    return `${await super.testimony()}\n${text}`;
  }
}
