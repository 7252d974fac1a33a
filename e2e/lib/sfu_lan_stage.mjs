// A stage with the server on the hub of a lan, as it comes, and two browsers on hosts of their own:
//
//   hub 45.0.0.1 --+-- host11: first seat
//                  +-- host12: second seat
//
// In a cloud the server is on a machine whose address the seats cannot reach, and is told that of the box before it:
//
//   box 45.0.0.13 | 192.168.13.1 ---- server 192.168.13.2
//
// What a test does to the cables is undone after it.

import { launchOn } from './browsers.mjs';
import { Lan } from './lan.mjs';
import { Pages } from './pages.mjs';
import { Server } from './server.mjs';
import { CLIENT, OPERATORS, SfuStage } from './sfu_stage.mjs';
import { KEY } from './skyway.mjs';

export class SfuLanStage extends SfuStage {
  #inCloud;
  #machine;

  constructor({ inCloud = false } = {}) {
    super('chromium');
    this.#inCloud = inCloud;
  }

  async raise() {
    this.lan = await Lan.lay();
    const hosts = [await this.lan.host(), await this.lan.host()];
    this.#machine = this.#inCloud ? await this.lan.hostInCloud() : this.lan.hub;
    this.server = await this.startServer();
    this.pages = await Pages.start(await this.#machine.listen());
    const origin = this.pages.originOn(this.addressOfServer);
    for (const host of hosts) {
      const browser = await launchOn(host, 'chromium', origin);
      this.seats.push({ host: this.addressOfServer, machine: host, browser });
    }
  }

  // Where the seats find it.
  get addressOfServer() {
    return (this.#machine.box ?? this.#machine).address;
  }

  startServer() {
    const sfu = this.#inCloud ? { external_addresses: [this.addressOfServer] } : {};
    return Server.start({ apps: [{ key: KEY }], tables: { ...OPERATORS, sfu }, flags: ['--no-turn'], host: this.#machine });
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

  // The cable of a seat carries no more than `kbit` per second in each direction from now on, after a queue of `queue` ms,
  // and loses so many packets of a hundred.
  async spoil(seat, { kbit, queue, loss }) {
    const { machine } = this.seats[seat];
    const bucket = `root tbf rate ${kbit}kbit burst 4kb latency ${queue}ms`;
    await machine.sh(`tc qdisc replace dev wire ${bucket}`);
    await this.lan.hub.sh(`tc qdisc replace dev ${machine.name} ${bucket}`);
    // Linux has netem for that, but not everywhere.
    await this.#filter(machine, ['output', 'input'], `numgen random mod 100 < ${loss} drop`);
  }

  // The host of a seat lets no UDP out.
  async blockUdp(seat) {
    await this.#filter(this.seats[seat].machine, ['output'], 'meta l4proto udp drop');
  }

  async #filter(machine, hooks, rule) {
    const chains = hooks.map(
      (hook) => `chain ${hook} {
        type filter hook ${hook} priority filter;
        ${rule}
      }`,
    );
    await machine.sh(`nft -f - <<'END'
      table ip spoiled {
        ${chains.join('\n')}
      }
END`);
  }

  async #mend(machine) {
    await this.lan.plugIn(machine);
    await machine.sh(`
      tc qdisc delete dev wire root 2> /dev/null || true
      nft delete table ip spoiled 2> /dev/null || true`);
    await this.lan.hub.sh(`tc qdisc delete dev ${machine.name} root 2> /dev/null || true`);
  }
}
