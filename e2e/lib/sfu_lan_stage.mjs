// A stage with the server on the hub of a lan, as it comes, and two browsers on hosts of their own:
//
//   hub 45.0.0.1 --+-- host11: first seat
//                  +-- host12: second seat
//
// What a test does to the cables is undone after it.

import { launchOn } from './browsers.mjs';
import { Lan } from './lan.mjs';
import { Pages } from './pages.mjs';
import { Server } from './server.mjs';
import { CLIENT, SfuStage } from './sfu_stage.mjs';
import { KEY } from './skyway.mjs';

export class SfuLanStage extends SfuStage {
  constructor() {
    super('chromium');
  }

  async raise() {
    this.lan = await Lan.lay();
    const { hub } = this.lan;
    this.server = await this.startServer();
    this.pages = await Pages.start(await hub.listen());
    const origin = this.pages.originOn(hub.address);
    for (const host of [await this.lan.host(), await this.lan.host()]) {
      this.seats.push({ host: hub.address, machine: host, browser: await launchOn(host, 'chromium', origin) });
    }
  }

  startServer() {
    return Server.start({ apps: [{ key: KEY }], flags: ['--no-turn'], host: this.lan.hub });
  }

  async strike() {
    try {
      await super.strike();
    } finally {
      this.lan?.close();
    }
  }

  test(name, options, body) {
    super.test(name, options, async (context) => {
      try {
        await body(context);
      } finally {
        await Promise.all(this.seats.map(({ machine }) => this.#mend(machine)));
      }
    });
  }

  // A tab on the first seat (0) or the second, whose peer is open.
  async tabOn(seat) {
    const tab = await this.tab(CLIENT, { seat: this.seats[seat] });
    await tab.open();
    return tab;
  }

  // The cable of a seat carries so little in both directions from now on; `limits` as netem says it.
  async spoil(seat, limits) {
    const { machine } = this.seats[seat];
    await machine.sh(`tc qdisc replace dev wire root netem ${limits}`);
    await this.lan.hub.sh(`tc qdisc replace dev ${machine.name} root netem ${limits}`);
  }

  // The host of a seat lets no UDP out.
  async blockUdp(seat) {
    await this.seats[seat].machine.sh(`nft -f - <<'END'
      table ip blocked {
        chain output {
          type filter hook output priority filter;
          meta l4proto udp drop;
        }
      }
END`);
  }

  async #mend(machine) {
    await this.lan.plugIn(machine);
    await machine.sh(`
      tc qdisc delete dev wire root 2> /dev/null || true
      nft delete table ip blocked 2> /dev/null || true`);
    await this.lan.hub.sh(`tc qdisc delete dev ${machine.name} root 2> /dev/null || true`);
  }
}
