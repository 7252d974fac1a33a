// A web server for the tabs, on an origin of its own: every request of a client to the broker is cross-origin.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

import { readBuild, scriptOf } from './builds.mjs';

const types = { html: 'text/html; charset=utf-8', js: 'text/javascript', mjs: 'text/javascript' };

export class Pages {
  #http = createServer((request, response) => this.#answer(request, response));

  static async start() {
    const pages = new Pages();
    pages.#http.listen(0, '127.0.0.1');
    await once(pages.#http, 'listening');
    return pages;
  }

  get origin() {
    return `http://127.0.0.1:${this.#http.address().port}`;
  }

  urlFor(client, { webSocket = true } = {}) {
    return `${this.origin}/tab?${new URLSearchParams({ client, webSocket })}`;
  }

  async stop() {
    this.#http.close();
    this.#http.closeAllConnections();
  }

  async #answer({ url }, response) {
    const { pathname, searchParams } = new URL(url, this.origin);
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
  const scripts = [`/peerjs/${client}/${scriptOf(client)}`, '/page/harness.js'];
  if (query.get('webSocket') === 'false') {
    scripts.unshift('/page/dead_websocket.js');
  }
  const tags = scripts.map((source) => `<script src="${source}"></script>`);
  return `<!doctype html><title>PeerJS ${client}</title><link rel="icon" href="data:,">${tags.join('')}`;
}

async function file(pathname) {
  const build = pathname.match(/^\/peerjs\/([^/]+)\/(.+)$/);
  return build ? readBuild(build[1], build[2]) : readFile(new URL(`..${pathname}`, import.meta.url));
}
