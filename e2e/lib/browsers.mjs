// Debian's Chromium and Firefox, kept on the loopback interface.

import puppeteer from 'puppeteer-core';

const chromium = {
  browser: 'chrome',
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
    '--disable-features=WebRtcHideLocalIpsWithMdns',
    '--allow-loopback-in-peer-connection',
  ],
};

const firefox = {
  browser: 'firefox',
  executablePath: '/usr/bin/firefox-esr',
  extraPrefsFirefox: {
    'network.dns.disabled': true,
    'network.websocket.delay-failed-reconnects': false,
    'dom.min_background_timeout_value': 4,
    'media.navigator.permission.disabled': true,
    'media.navigator.streams.fake': true,
    'media.peerconnection.ice.loopback': true,
    'media.peerconnection.ice.obfuscate_host_addresses': false,
  },
};

const browsers = { chromium, firefox };

export const browserNames = process.env.E2E_BROWSER ? [process.env.E2E_BROWSER] : Object.keys(browsers);

export const launch = (name) => puppeteer.launch({ ...browsers[name], headless: !process.env.E2E_HEADFUL });
