// A web server for the tabs, on an origin of its own: every request of a client to the broker is cross-origin.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

import { isSkyway, OURS, readBuild, scriptOf } from './builds.mjs';

const types = { html: 'text/html; charset=utf-8', js: 'text/javascript', mjs: 'text/javascript' };

export class Pages {
  #http = createServer((request, response) => this.#answer(request, response));

  // `listener`: a listening socket to use, that of a host of network.mjs.
  static async start(listener) {
    const pages = new Pages();
    pages.#http.listen(...(listener ? [listener] : [0, '127.0.0.1']));
    await once(pages.#http, 'listening');
    return pages;
  }

  originOn(host) {
    return `http://${host}:${this.#http.address().port}`;
  }

  urlFor(client, { webSocket = true, host = '127.0.0.1' } = {}) {
    return `${this.originOn(host)}/tab?${new URLSearchParams({ client, webSocket })}`;
  }

  async stop() {
    this.#http.close();
    this.#http.closeAllConnections();
  }

  async #answer({ url }, response) {
    const { pathname, searchParams } = new URL(url, 'http://pages');
    const extension = pathname.split('.').pop();
    try {
      const body = pathname === '/tab' ? tab(searchParams) : await file(pathname);
      response.setHeader('content-type', types[extension] ?? types.html);
      response.end(body);
    } catch (error) {
      response.statusCode = 404;
      response.end(String(error));
    }
  }
}

function tab(query) {
  const client = query.get('client');
  const scripts = [`/peerjs/${client}/${scriptOf(client)}`, '/page/samples.js', '/page/harness.js'];
  if (isSkyway(client) || client === OURS) {
    scripts.push('/page/rooms.js', '/page/pictures.js', '/page/sfu.js', '/page/frames.js');
  }
  if (client === OURS) {
    scripts.push(`/peerjs/${OURS}/dist/peerway-files.js`, '/page/sdk.js', '/page/sdk_files.js');
  }
  if (query.get('webSocket') === 'false') {
    scripts.unshift('/page/dead_websocket.js');
  }
  const tags = scripts.map((source) => `<script src="${source}"></script>`);
  return `<!doctype html><title>${client}</title><link rel="icon" href="data:,">${tags.join('')}`;
}

async function file(pathname) {
  const build = pathname.match(/^\/peerjs\/([^/]+)\/(.+)$/);
  return build ? readBuild(build[1], build[2]) : readFile(new URL(`..${pathname}`, import.meta.url));
}
