// A stage whose pairs sit on two hosts that can reach the server and not each other.

import { launchOn } from './browsers.mjs';
import { network } from './network.mjs';
import { Pages } from './pages.mjs';
import { Server } from './server.mjs';
import { Stage } from './stage.mjs';

export class FarStage extends Stage {
  #browserNames;

  constructor(...browserNames) {
    super(browserNames.join(' and '));
    this.#browserNames = browserNames;
  }

  async raise() {
    this.network = await network();
    const { left, middle, right } = this.network;
    // No flag about TURN: it has to work as it comes.
    this.server = await Server.start({ flags: [], host: middle });
    this.pages = await Pages.start(await middle.listen());
    for (const [name, host] of [
      [this.#browserNames[0], left],
      [this.#browserNames[1], right],
    ]) {
      const server = host.addressOfMiddle;
      this.seats.push({ browser: await launchOn(host, name, this.pages.originOn(server)), host: server });
    }
  }

  async strike() {
    try {
      await super.strike();
    } finally {
      this.network?.close();
    }
  }
}
