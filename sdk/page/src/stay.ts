// A stay in a room, from joining to leaving: pictures, the screen, a conversation, figures.

import type { MeshRoom, Peer, RoomStream, SFURoom } from 'peerway';

import { chat, type Chat } from './chat.js';
import { copyButton } from './copy.js';
import { button, el } from './dom.js';
import { facts, type Facts } from './facts.js';
import { LocalMedia } from './local_media.js';
import { openScreen, stop } from './media.js';
import { notice } from './notices.js';
import { qrCode } from './qr.js';
import { shareLink } from './share.js';
import { texts } from './texts.js';
import { tile, type Tile } from './tile.js';

export type Mode = 'mesh' | 'sfu';

export class Stay {
  readonly element: HTMLElement;
  readonly #peer: Peer;
  readonly #name: string;
  readonly #mode: Mode;
  readonly #over: () => void;
  readonly #chat: Chat;
  readonly #facts: Facts;
  readonly #local = new LocalMedia(() => this.#publish());
  readonly #tiles = new Map<string, { tile: Tile; peer: string }>();
  readonly #mine = tile(texts.room.you, { mine: true });
  readonly #stage = el('div', { class: 'tiles', role: 'group', 'aria-label': texts.room.stage });
  readonly #count = el('p', { class: 'soft', role: 'status' }, texts.room.joining);
  readonly #buttons;
  #room: MeshRoom | SFURoom | undefined;
  #screen: MediaStream | undefined;
  #ended = false;

  constructor(peer: Peer, name: string, mode: Mode, over: () => void) {
    this.#peer = peer;
    this.#name = name;
    this.#mode = mode;
    this.#over = over;
    this.#chat = chat(texts.chat.label, (text) => this.#send(text));
    this.#facts = facts(() => this.#peerConnections(), mode === 'sfu');
    this.#buttons = {
      microphone: button(texts.call.microphone, () => void this.#local.toggle('audio')),
      camera: button(texts.call.camera, () => void this.#local.toggle('video')),
      screen: button(texts.call.screen, () => void this.#toggleScreen()),
      leave: button(texts.room.leave, () => this.#leave(), { class: 'danger' }),
    };
    const bar = el(
      'div',
      { class: 'bar', role: 'group', 'aria-label': texts.room.label },
      ...Object.values(this.#buttons),
    );
    const stay = el(
      'section',
      { class: 'card', 'aria-label': name },
      el('h2', {}, name, el('small', {}, ` ${mode}`)),
      this.#count,
      bar,
      this.#stage,
      this.#chat.element,
    );
    this.element = el(
      'div',
      { class: 'columns turned' },
      el('div', { class: 'column' }, this.#facts.element, this.#link()),
      el('div', { class: 'column' }, stay),
    );
  }

  async begin(withCamera: boolean): Promise<void> {
    if (withCamera) await this.#local.start(true);
    if (this.#ended) return this.#local.stop();
    const stream = withCamera && this.#local.stream.getTracks().length > 0 ? this.#local.stream : undefined;
    const options = { ...(stream && { stream }), simulcast: true };
    const room =
      this.#mode === 'sfu'
        ? this.#peer.joinRoom(this.#name, { ...options, mode: 'sfu' })
        : this.#peer.joinRoom(this.#name, { ...options, mode: 'mesh' });
    this.#room = room;
    room.on('open', () => this.#draw());
    room.on('peerJoin', (id) => this.#moved(texts.room.joined(id)));
    room.on('peerLeave', (id) => this.#moved(texts.room.left(id)));
    room.on('data', ({ src, data }) => {
      const text: unknown = typeof data === 'string' ? data : JSON.stringify(data);
      this.#chat.said(src, String(text).slice(0, 20_000), false);
    });
    room.on('stream', (stream) => this.#add(stream));
    room.on('removeStream', ({ id }) => this.#remove(id));
    room.on('activeSpeaker', (id) => {
      for (const { tile: it, peer } of this.#tiles.values()) it.mark(peer === id ? texts.room.speaking : undefined);
      this.#mine.mark(id === this.#peer.id ? texts.room.speaking : undefined);
    });
    room.on('error', ({ message }) => notice(message));
    room.on('close', () => this.#end());
    this.#draw();
    this.#buttons.leave.focus();
  }

  #leave(): void {
    this.#room?.close();
    this.#end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#facts.stop();
    this.#local.stop();
    stop(this.#screen);
    for (const { tile: it } of this.#tiles.values()) it.detach();
    this.#over();
  }

  #send(text: string): boolean {
    if (!this.#room?.open) return false;
    this.#room.send(text);
    return true;
  }

  #moved(text: string): void {
    this.#chat.happened(text);
    this.#draw();
  }

  #add(stream: RoomStream): void {
    this.#remove(stream.id);
    const it = tile(texts.room.tile(stream.peerId, stream.streamName));
    this.#tiles.set(stream.id, { tile: it, peer: stream.peerId });
    this.#stage.append(it.element);
    it.attach(stream);
  }

  #remove(id: string): void {
    this.#tiles.get(id)?.tile.detach();
    this.#tiles.delete(id);
  }

  async #publish(): Promise<void> {
    this.#draw();
    // A stream of its own each time: what was published and what is now differ.
    const stream = new MediaStream(this.#local.stream.getTracks());
    await this.#room?.publish(stream, { simulcast: true }).catch(({ message }: Error) => {
      if (!this.#ended) notice(message);
    });
  }

  async #toggleScreen(): Promise<void> {
    const name = texts.room.screenName;
    if (this.#screen) {
      stop(this.#screen);
      this.#screen = undefined;
      this.#draw();
      await this.#room?.unpublish(name).catch(() => {});
      return;
    }
    const screen = await openScreen();
    if (!screen) return;
    this.#screen = screen;
    this.#draw();
    screen.getVideoTracks()[0]?.addEventListener('ended', () => {
      if (this.#screen === screen) void this.#toggleScreen();
    });
    await this.#room?.publish(screen, { name }).catch(({ message }: Error) => {
      if (this.#ended) return;
      notice(message);
      stop(screen);
      this.#screen = undefined;
      this.#draw();
    });
  }

  #draw(): void {
    const { microphone, camera, screen } = this.#buttons;
    microphone.setAttribute('aria-pressed', String(this.#local.isOn('audio')));
    camera.setAttribute('aria-pressed', String(this.#local.isOn('video')));
    screen.textContent = this.#screen ? texts.call.stopScreen : texts.call.screen;
    if (this.#local.isOn('video') || this.#local.isOn('audio')) {
      this.#stage.prepend(this.#mine.element);
      this.#mine.attach(this.#local.stream);
    } else {
      this.#mine.detach();
    }
    if (this.#room?.open) this.#count.textContent = texts.room.members(this.#room.members.length);
  }

  #peerConnections(): RTCPeerConnection[] {
    const room = this.#room;
    if (!room) return [];
    if ('getPeerConnections' in room) return Object.values(room.getPeerConnections());
    return [room.getPeerConnection()].filter((it) => it !== null);
  }

  #link(): HTMLElement {
    const { here, others } = shareLink({ room: this.#name, mode: this.#mode });
    const link = el('input', { type: 'text', readonly: true, id: 'room-link', value: here });
    const copy = copyButton(texts.invite.copy, texts.invite.copied, () => ({
      text: link.value,
      select: () => link.select(),
    }));
    return el(
      'details',
      { class: 'card invite', open: !matchMedia('(max-width: 60rem)').matches },
      el('summary', {}, el('h2', {}, texts.room.link)),
      el('div', { class: 'code' }, qrCode(others, texts.invite.qr(others))),
      el('label', { for: 'room-link' }, texts.room.link),
      el('div', { class: 'line-form' }, link, copy),
    );
  }
}
