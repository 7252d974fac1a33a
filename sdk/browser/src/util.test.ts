import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => void vi.unstubAllGlobals());

const WEBKIT = 'Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko)';

test.each([
  [`${WEBKIT} Chrome/148.0.0.0 Safari/537.36`, 'chrome', 148],
  [`${WEBKIT} Chromium/120.0 Chrome/120.0 Safari/537.36`, 'chrome', 120],
  [`${WEBKIT} Chrome/70.0 Safari/537.36 Edge/18.17763`, 'edge', 70],
  [`${WEBKIT} Version/17.4 Safari/605.1.15`, 'safari', 17],
  ['Mozilla/5.0 (X11; rv:140.0) Gecko/20100101 Firefox/140.0', 'firefox', 140],
  ['curl/8.0', 'Not a supported browser.', 0],
  ['', 'Not a browser.', 0],
])('%s', async (userAgent, browser, version) => {
  const util = await inA({ navigator: { userAgent } });
  expect([util.browser, util.browserVersion]).toEqual([browser, version]);
});

test('what is supported is what the browser has', async () => {
  const nothing = { browser: false, webRTC: false, audioVideo: false, data: false, binaryBlob: false, reliable: false };
  expect((await inA({ RTCPeerConnection: undefined })).supports).toEqual(nothing);

  class DataOnly {
    createDataChannel(): void {}
  }
  const { supports } = await inA({ RTCPeerConnection: DataOnly });
  expect(supports).toMatchObject({ webRTC: true, data: true, reliable: true, audioVideo: false });
});

test('ids are those that PeerJS takes', async () => {
  const { validateId } = await inA({});
  for (const id of ['', 'a', 'A-1_b c']) expect(validateId(id), id).toBe(true);
  for (const id of ['-a', 'a-', 'a--b', 'ä', 'a/b', ' ']) expect(validateId(id), id).toBe(false);
});

test('a token is not the last one', async () => {
  const { randomToken } = await inA({});
  expect(randomToken()).not.toBe(randomToken());
  expect(randomToken()).toMatch(/^[0-9a-z]{24}$/);
});

test('secure is what the page is', async () => {
  expect((await inA({ location: { protocol: 'https:' } })).isSecure()).toBe(true);
  expect((await inA({ location: { protocol: 'http:' } })).isSecure()).toBe(false);
});

// It looks at the browser once, when it is loaded.
async function inA(globals: Record<string, unknown>) {
  for (const [name, value] of Object.entries(globals)) vi.stubGlobal(name, value);
  vi.resetModules();
  return (await import('./util.js')).util;
}
