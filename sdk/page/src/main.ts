// The page that the server shows at its address: a demonstration of the SDK that needs nothing but this server.

import { Peer, util } from 'peerway';

import { CodeTab } from './code.js';
import { Devices } from './devices.js';
import { el } from './dom.js';
import { myIdentity } from './identity.js';
import { clearNotice, notice, noticeBox } from './notices.js';
import { RoomTab } from './room.js';
import { readStatus, ServerTab, type Status } from './server.js';
import { setAddresses } from './share.js';
import type { Mode } from './stay.js';
import { tabs } from './tabs.js';
import { texts } from './texts.js';

const status = await readStatus().catch((): Status | undefined => undefined);
setAddresses(status?.addresses ?? []);
const key = status?.key ?? 'peerjs';
const { id, token } = myIdentity();
const peer = new Peer(id, { key, token });

const devices = new Devices(peer, () => views.select('devices'));
const room = new RoomTab(peer);
const code = new CodeTab({ page: new URL('.', location.href), key, ice: status?.allocations !== null, peer: id });
const server = new ServerTab();
const views = tabs(
  texts.tabsLabel,
  'view',
  [
    { id: 'devices', label: texts.tabs.devices, panel: el('div', {}, devices.panel) },
    { id: 'room', label: texts.tabs.room, panel: el('div', {}, room.panel) },
    { id: 'code', label: texts.tabs.code, panel: el('div', {}, code.panel) },
    { id: 'server', label: texts.tabs.server, panel: el('div', {}, server.panel) },
  ],
  (view) => {
    if (view === 'server' && status) server.draw(status);
  },
);
const state = el('p', { id: 'state', role: 'status', class: 'state' }, texts.state.connecting);
document
  .getElementById('app')
  ?.replaceChildren(
    el('a', { class: 'skip', href: '#main', onclick: skip }, texts.skip),
    el(
      'header',
      {},
      el('h1', {}, el('img', { src: 'icon.svg', alt: '', width: '28', height: '28' }), texts.title),
      state,
    ),
    el('nav', { 'aria-label': texts.tabsLabel }, views.list),
    el(
      'main',
      { id: 'main', tabindex: '-1' },
      noticeBox,
      devices.panel.parentElement,
      room.panel.parentElement,
      code.panel.parentElement,
      server.panel.parentElement,
    ),
  );

if (!util.supports.data) notice(texts.errors.webrtc);
if (status) server.draw(status);

function say(text: string, isLost: boolean): void {
  state.textContent = text;
  state.classList.toggle('lost', isLost);
}

peer.on('open', () => say(texts.state.online(id), false));
peer.on('reconnecting', () => say(texts.state.reconnecting, true));
peer.on('reconnected', () => say(texts.state.online(id), false));
peer.on('disconnected', () => say(texts.state.offline, true));
peer.on('error', ({ type, message }) => {
  // That one is told where it belongs.
  if (type === 'peer-unavailable') return;
  notice(/token/i.test(message) ? texts.state.signedIds : message);
});

// The link decides what is seen first, and works in a page that is open already.
function follow(): void {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const [wanted, name] = [fragment.get('peer'), fragment.get('room')];
  if (name) {
    const mode: Mode = fragment.get('mode') === 'sfu' ? 'sfu' : 'mesh';
    room.prefill(name, mode);
    views.select('room');
  } else if (wanted) {
    clearNotice();
    views.select('devices');
    devices.connect(wanted);
  }
}

// Not by its address: the fragment is for people.
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

addEventListener('hashchange', follow);
peer.ready.then(follow, () => {});
