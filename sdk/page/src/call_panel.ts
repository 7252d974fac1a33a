// A call with one other: pictures, and the buttons that go with them. The screen is a call of its own, one way.

import type { MediaConnection, Peer } from 'peerway';

import { button, el, show } from './dom.js';
import { LocalMedia, type Change } from './local_media.js';
import { openScreen, stop } from './media.js';
import { notice } from './notices.js';
import { texts } from './texts.js';
import { tile } from './tile.js';

const SCREEN = { kind: 'screen' };

export class CallPanel {
  readonly element: HTMLElement;
  readonly #peer: Peer;
  readonly #id: string;
  readonly #happened: (text: string) => void;
  readonly #local = new LocalMedia((change) => this.#handleChange(change));
  readonly #remoteTile;
  readonly #localTile = tile(texts.call.local, { mine: true, small: true });
  readonly #screenTile;
  readonly #stage = el('div', { class: 'stage', hidden: true });
  readonly #ring: HTMLElement;
  readonly #status = el('p', { class: 'status', role: 'status' });
  readonly #buttons;
  #call: MediaConnection | undefined;
  #incoming: MediaConnection | undefined;
  #screenIn: MediaConnection | undefined;
  #screenOut: { call: MediaConnection; stream: MediaStream } | undefined;
  #starting = false;
  #answered = false;

  constructor(peer: Peer, id: string, happened: (text: string) => void) {
    this.#peer = peer;
    this.#id = id;
    this.#happened = happened;
    this.#remoteTile = tile(texts.call.remote(id));
    this.#screenTile = tile(texts.call.screenOf(id));
    const words = texts.call;
    this.#buttons = {
      video: button(words.video, () => this.#start(true), { class: 'primary' }),
      audio: button(words.audio, () => this.#start(false)),
      microphone: button(words.microphone, () => void this.#local.toggle('audio')),
      camera: button(words.camera, () => void this.#local.toggle('video')),
      screen: button(words.screen, () => void this.#toggleScreen()),
      hangUp: button(words.hangUp, () => this.#hangUp(), { class: 'danger' }),
    };
    this.#ring = el(
      'div',
      { class: 'ring', role: 'alert', hidden: true },
      el('p', {}, words.incoming(id)),
      button(words.answer, () => void this.#answer(true), { class: 'primary' }),
      button(words.watch, () => void this.#answer(false)),
      button(words.decline, () => this.#decline(), { class: 'danger' }),
    );
    const bar = el('div', { class: 'bar', role: 'group', 'aria-label': words.label }, ...Object.values(this.#buttons));
    this.element = el('div', { class: 'call' }, this.#ring, this.#stage, this.#status, bar);
    this.#draw();
  }

  // A call from the other side.
  take(call: MediaConnection): void {
    call.on('error', () => {});
    if ((call.metadata as { kind?: unknown } | undefined)?.kind === SCREEN.kind) return this.#watchScreen(call);
    if (this.#call && !this.#answered) {
      // Both called at the same moment: the call of the smaller id stays.
      if (this.#peer.id < this.#id) return call.close();
      const own = this.#call;
      this.#use(call);
      own.close();
      return call.answer(this.#local.stream);
    }
    if (this.#call || this.#incoming) return call.close();
    this.#incoming = call;
    call.on('close', () => {
      if (this.#incoming !== call) return;
      this.#incoming = undefined;
      this.#draw();
    });
    this.#draw();
  }

  get isBusy(): boolean {
    return this.#call !== undefined;
  }

  peerConnections(): RTCPeerConnection[] {
    const calls = [this.#call, this.#screenIn, this.#screenOut?.call];
    return calls.flatMap((call) => call?.peerConnection ?? []);
  }

  close(): void {
    this.#incoming?.close();
    this.#hangUp();
    this.#stopScreen();
    this.#screenIn?.close();
  }

  async #start(video: boolean): Promise<void> {
    if (this.#call || this.#starting) return;
    this.#starting = true;
    // Without devices the other side can still be heard and seen.
    await this.#local.start(video);
    this.#starting = false;
    if (this.#call) return;
    this.#use(this.#peer.call(this.#id, this.#local.stream));
  }

  async #answer(withMedia: boolean): Promise<void> {
    const call = this.#incoming;
    if (!call) return;
    this.#incoming = undefined;
    this.#use(call);
    if (withMedia) await this.#local.start(true);
    call.answer(this.#local.stream);
    this.#draw();
    this.#buttons.hangUp.focus();
  }

  #decline(): void {
    const call = this.#incoming;
    this.#incoming = undefined;
    call?.close();
    this.#draw();
    this.#buttons.video.focus();
  }

  #use(call: MediaConnection): void {
    this.#call = call;
    this.#answered = false;
    const markAnswered = (): void => {
      if (this.#call === call) this.#answered = true;
      this.#draw();
    };
    call.ready.then(markAnswered, () => {});
    call.on('error', ({ message }) => notice(message));
    call.on('stream', (stream) => {
      this.#remoteTile.attach(stream);
      markAnswered();
    });
    call.on('close', () => {
      if (this.#call !== call) return;
      this.#call = undefined;
      this.#local.stop();
      this.#remoteTile.detach();
      this.#localTile.detach();
      this.#happened(this.#answered ? texts.call.ended : texts.call.declined);
      this.#draw();
    });
    this.#draw();
  }

  #hangUp(): void {
    this.#call?.close();
  }

  async #handleChange({ added, removed }: Change): Promise<void> {
    try {
      if (added) await this.#call?.addTrack(added, this.#local.stream);
      if (removed) await this.#call?.removeTrack(removed);
    } catch (error) {
      if (added) {
        added.stop();
        this.#local.stream.removeTrack(added);
      }
      notice((error as Error).message);
    }
    this.#draw();
  }

  async #toggleScreen(): Promise<void> {
    if (this.#screenOut) return this.#stopScreen();
    const stream = await openScreen();
    if (!stream) return;
    const receive = { videoReceiveEnabled: false, audioReceiveEnabled: false };
    const call = this.#peer.call(this.#id, stream, { metadata: SCREEN, ...receive });
    this.#screenOut = { call, stream };
    call.on('error', ({ message }) => notice(message));
    call.on('close', () => {
      stop(stream);
      if (this.#screenOut?.call === call) this.#screenOut = undefined;
      this.#draw();
    });
    // The browser has a button of its own to stop it.
    stream.getVideoTracks()[0]?.addEventListener('ended', () => call.close());
    this.#draw();
  }

  #stopScreen(): void {
    this.#screenOut?.call.close();
  }

  #watchScreen(call: MediaConnection): void {
    this.#screenIn?.close();
    this.#screenIn = call;
    call.on('stream', (stream) => {
      this.#screenTile.attach(stream);
      this.#draw();
    });
    call.on('close', () => {
      if (this.#screenIn !== call) return;
      this.#screenIn = undefined;
      this.#screenTile.detach();
      this.#draw();
    });
    call.answer();
  }

  #draw(): void {
    const { video, audio, microphone, camera, screen, hangUp } = this.#buttons;
    const inCall = this.#call !== undefined;
    if (inCall) {
      this.#stage.append(this.#remoteTile.element);
      if (this.#local.isOn('video')) {
        this.#stage.append(this.#localTile.element);
        this.#localTile.attach(this.#local.stream);
      } else {
        this.#localTile.detach();
      }
    }
    if (this.#screenIn) this.#stage.prepend(this.#screenTile.element);
    show(this.#stage, this.#stage.childElementCount > 0);
    const [duringCall, otherwise] = [
      [microphone, camera, hangUp],
      [video, audio],
    ];
    const shown = [...(inCall ? duringCall : []), ...(!inCall && !this.#incoming ? otherwise : [])];
    show(this.#ring, this.#incoming !== undefined);
    // What takes the focus over has to be there already.
    for (const it of shown) show(it, true);
    for (const it of [...duringCall, ...otherwise]) {
      if (!shown.includes(it)) show(it, false, inCall ? hangUp : video);
    }
    microphone.setAttribute('aria-pressed', String(this.#local.isOn('audio')));
    camera.setAttribute('aria-pressed', String(this.#local.isOn('video')));
    screen.textContent = this.#screenOut ? texts.call.stopScreen : texts.call.screen;
    this.#status.textContent = inCall && !this.#answered ? texts.call.calling : '';
  }
}
