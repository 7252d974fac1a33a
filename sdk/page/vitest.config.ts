import { fileURLToPath } from 'node:url';

import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { alias: { peerway: fileURLToPath(new URL('../browser/src/index.ts', import.meta.url)) } },
});
