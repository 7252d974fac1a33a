// A stage of SfuLanStage with tabs of our own SDK.

import { OURS } from './builds.mjs';
import { SdkTab } from './sdk.mjs';
import { SfuLanStage } from './sfu_lan_stage.mjs';

export class SdkLanStage extends SfuLanStage {
  tabClass() {
    return SdkTab;
  }

  async tabOn(seat) {
    const tab = await this.tab(OURS, { seat: this.seats[seat] });
    await tab.open();
    return tab;
  }
}
