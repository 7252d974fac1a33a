// A stage with a server that forwards media.

import { browserNames, launch } from './browsers.mjs';
import { Cable } from './cable.mjs';
import { freeTcpPort } from './ports.mjs';
import { Server, onlyPeerway } from './server.mjs';
import { SfuTab } from './sfu.mjs';
import { KEY } from './skyway.mjs';
import { on, Stage } from './stage.mjs';

export const CLIENT = 'skyway-js-4.4.5';

// Of an app in whose rooms one member may publish at a time.
export const KEY_OF_ONE = '5e1f0001-cafe-4bad-8bad-0123456789ab';

// Lets a test ask for the reports of rooms.
export const OPERATORS = { metrics: { token: 'of those who run the tests' } };

// Tests with a seat in each of these browsers.
export function inRooms(define, ...names) {
  if (!names.length) names = ['chromium'];
  const isThere = names.every((name) => browserNames.includes(name));
  if (isThere) on(new SfuStage(...names), define, onlyPeerway('only peerway forwards media'));
}

export class SfuStage extends Stage {
  #names;

  constructor(...names) {
    super(names.join(' and '));
    this.#names = names;
  }

  async raise() {
    await super.raise();
    for (const name of this.#names.slice(1)) {
      this.seats.push({ browser: await launch(name), host: '127.0.0.1' });
    }
  }

  get firstBrowser() {
    return this.#names[0];
  }

  async startServer() {
    // Not on the loopback interface alone, which Firefox does not use where there is another.
    const tables = { ...OPERATORS, sfu: { udp: [`${await freeTcpPort()}`] } };
    const apps = [{ key: KEY }, { key: KEY_OF_ONE, publishers_per_room: 1 }];
    return Server.start({ apps, tables, flags: ['--no-turn'] });
  }

  tabClass() {
    return SfuTab;
  }

  async evidence() {
    const headers = { authorization: `Bearer ${OPERATORS.metrics.token}` };
    const answer = await fetch(`${this.server.url}v1/rooms`, { headers }).catch((error) => error);
    return [`rooms:\n${(await answer.text?.()) ?? answer}`];
  }

  // A tab whose line to the server can be cut.
  async tabOnCable() {
    const cable = await Cable.to(this.server);
    const tab = await this.tab(CLIENT, { port: cable.port });
    tab.cable = cable;
    return tab;
  }

  // So many tabs whose peers are open.
  async crowd(count, client = CLIENT) {
    const tabs = [];
    for (let index = 0; index < count; index += 1) tabs.push(await this.tab(client));
    await Promise.all(tabs.map((tab) => tab.open()));
    return tabs;
  }

  // Makes tabs members one after the other, each when the one before is in.
  async enter(name, tabs, options) {
    const members = [];
    for (const tab of tabs) {
      members.push(await tab.enter(name, options));
      await members.at(-1).sees('open');
    }
    return members;
  }
}

// Waits until everybody gets what everybody else publishes.
export async function allGetAll(members, options) {
  await Promise.all(members.map((member) => member.gets(othersOf(member, members), options)));
}

export const othersOf = (member, members) => members.filter((other) => other !== member);
