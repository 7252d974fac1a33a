// Debian's Chromium and Firefox, kept on the loopback interface or on a host of network.mjs.

import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import puppeteer from 'puppeteer-core';

import { freeTcpPort } from './ports.mjs';

const START_MS = 30_000;
const END_MS = 15_000;

const browsers = { chromium, firefox };

export const browserNames = process.env.E2E_BROWSER ? [process.env.E2E_BROWSER] : Object.keys(browsers);

// `authority`: whose certificates to trust. `names`: where Chromium finds hosts of other names, `host:port` to
// `host:port`. `origin`: of the pages, which may use a camera whatever it is. `thrifty`: pages of Chromium in the background
// are slowed down as they are for users, soon.
export const launch = (name, { authority, names, thrifty } = {}) => {
  const options = optionsOf(name, authority, undefined, names);
  return started(async () => (thrifty ? { ...options, ...thriftyOf(options) } : options));
};

// On a busy machine a browser may fail to start, or hang while it does: it is tried twice. `prepare` makes the options.
async function started(prepare) {
  for (let attempt = 1; ; attempt += 1) {
    const options = await prepare();
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), START_MS);
    try {
      return await puppeteer.launch({ ...options, timeout: START_MS, signal: limit.signal });
    } catch (error) {
      if (attempt === 2) throw error;
      console.error(`${options.browser} did not start and is tried once more: ${error.message}`);
    } finally {
      clearTimeout(timer);
    }
  }
}

const thriftyOf = ({ args }) => ({
  ignoreDefaultArgs: [
    '--disable-background-timer-throttling',
    '--disable-backgrounding-occluded-windows',
    '--disable-renderer-backgrounding',
  ],
  args: [...args, '--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/5'],
});

// The browser runs on the host, and is driven from here through a door.
export async function launchOn(host, name, origin) {
  const options = optionsOf(name, undefined, origin);
  return started(async () => {
    const debuggingPort = await freeTcpPort();
    await host.openDoor(debuggingPort);
    return {
      ...options,
      executablePath: fileURLToPath(new URL('on_host.sh', import.meta.url)),
      env: { ...process.env, E2E_ENTRY: host.entry.join(' '), E2E_PROGRAM: options.executablePath },
      debuggingPort,
    };
  });
}

// A browser that does not listen any more has to go as well.
export async function ended(browser) {
  const closed = browser.close().then(
    () => true,
    () => false,
  );
  if (await Promise.race([closed, delay(END_MS, false, { ref: false })])) return;
  browser.process()?.kill('SIGKILL');
}

const optionsOf = (name, authority, origin = 'http://127.0.0.1', names = {}) => ({
  ...browsers[name](authority, new URL(origin), names),
  headless: !process.env.E2E_HEADFUL,
});

function chromium(authority, { origin, hostname }, names) {
  // The names of TURN servers are looked up with a dot at the end.
  const reachable = ['127.0.0.1', 'localhost', 'localhost.', hostname].map((host) => `, EXCLUDE ${host}`);
  const elsewhere = Object.entries(names).map(([from, to]) => `MAP ${from} ${to}, `);
  return {
    browser: 'chrome',
    executablePath: '/usr/bin/chromium',
    env: { ...process.env, ...(authority && { HOME: authority.home }) },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--host-resolver-rules=${elsewhere.join('')}MAP * ~NOTFOUND${reachable.join('')}`,
      `--unsafely-treat-insecure-origin-as-secure=${origin}`,
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      '--autoplay-policy=no-user-gesture-required',
      '--disable-features=WebRtcHideLocalIpsWithMdns',
      '--allow-loopback-in-peer-connection',
    ],
  };
}

function firefox(authority, { hostname }) {
  return {
    browser: 'firefox',
    executablePath: '/usr/bin/firefox-esr',
    userDataDir: authority?.firefoxProfile,
    extraPrefsFirefox: {
      'network.dns.disabled': true,
      'network.websocket.delay-failed-reconnects': false,
      'dom.min_background_timeout_value': 4,
      'dom.securecontext.allowlist': hostname,
      'media.navigator.permission.disabled': true,
      'media.navigator.streams.fake': true,
      'media.autoplay.default': 0,
      'media.peerconnection.ice.loopback': true,
      'media.peerconnection.ice.obfuscate_host_addresses': false,
    },
  };
}
