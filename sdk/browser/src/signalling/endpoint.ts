// Where the server is: where the options say, else where this script came from, else the page's own host.

import type { PeerOptions } from '../options.js';

export interface Endpoint {
  // The URL of the base path, ends with a slash: https://example.com/peers/
  http: string;
  // The URL of the root.
  root: string;
}

const HOSTED = /^(https?:\/\/.*\/)(?:peerway\.m?js|dist\/peer\.min\.js)(?:[?#].*)?$/;
// Read now: later it is another script's.
const SCRIPT = scriptUrl();

export function endpoint(options: PeerOptions): Endpoint {
  const url = base(options);
  return { http: url.href, root: new URL('/', url).href };
}

function base(options: PeerOptions): URL {
  const { host, port, path, secure } = options;
  const page = globalThis.location?.href.startsWith('http') ? globalThis.location.href : undefined;
  let url: URL;
  if (host && host !== '/') {
    // As in PeerJS: port 443 unless told, secure if the page is.
    const tls = secure ?? (port === undefined || Number(port) === 443 || page?.startsWith('https:') === true);
    url = new URL(`${tls ? 'https' : 'http'}://${host}:${port ?? 443}/`);
  } else {
    const script = host === '/' ? undefined : SCRIPT;
    const from = script ?? (page && new URL('/', page).href);
    if (!from) throw new TypeError("say where the server is: new Peer(id, { host: 'example.com' })");
    url = new URL(from);
    if (secure !== undefined) url.protocol = secure ? 'https:' : 'http:';
    if (port !== undefined) url.port = String(port);
  }
  if (path !== undefined) url.pathname = `/${path}/`.replace(/\/+/g, '/');
  return url;
}

export function hostedAt(script: string | undefined): string | undefined {
  return script === undefined || script.includes('/node_modules/') ? undefined : HOSTED.exec(script)?.[1];
}

function scriptUrl(): string | undefined {
  const script = globalThis.document?.currentScript as { src?: string } | null | undefined;
  return hostedAt(script?.src ?? import.meta.url);
}
