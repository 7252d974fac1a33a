// One transfer as the user sees it: its name, how far it is, and what came of it.

import { button, el, show } from './dom.js';
import { bytes } from './numbers.js';
import { texts } from './texts.js';

interface Progress {
  bytes: number;
  size: number | undefined;
  rate: number;
}

// What this page looks at of the SDK's transfers, in either direction.
export interface Transfer {
  readonly files: readonly { name: string; size?: number | null }[];
  readonly size?: number | undefined;
  cancel(): void;
  on(event: 'progress', listener: (progress: Progress) => void): unknown;
  on(event: 'file', listener: (file: { name: string }, result: string, more?: unknown) => void): unknown;
  on(event: 'accept' | 'lost' | 'resumed', listener: () => void): unknown;
  on(event: 'done', listener: (files?: File[]) => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

// Where the browser shows what it is.
const PREVIEW = /^image\/(png|jpeg|gif|webp|avif)$/;

export class TransferEntry {
  readonly element: HTMLElement;
  readonly #transfer: Transfer;
  readonly #bar: HTMLProgressElement;
  readonly #words = el('p', { class: 'soft' });
  readonly #cancel: HTMLButtonElement;
  #settled = false;
  #refused = 0;

  constructor(transfer: Transfer, head: HTMLElement, mine: boolean) {
    this.#transfer = transfer;
    const name = nameOf(transfer);
    this.#bar = el('progress', { max: '1', value: '0', 'aria-label': texts.files.progress(name) });
    this.#cancel = button(texts.files.cancel, () => {
      this.settle(texts.files.cancelled);
      transfer.cancel();
    });
    this.element = el(
      'div',
      { class: mine ? 'file mine' : 'file' },
      head,
      el('strong', {}, name),
      this.#bar,
      this.#words,
      this.#cancel,
    );
    if (mine) this.#words.textContent = texts.files.waiting;
    else this.#words.textContent = texts.files.offered(this.#size());
    transfer.on('accept', () => (this.#words.textContent = ''));
    transfer.on('progress', (progress) => this.#move(progress));
    transfer.on('file', (_file, result) => {
      if (result === 'refused') this.#refused += 1;
    });
    transfer.on('lost', () => (this.#words.textContent = texts.files.lost));
    transfer.on('done', (files) => this.#done(mine, files ?? []));
    transfer.on('error', ({ message }) => this.settle(texts.files.failed(message)));
  }

  // A question goes before everything; the rest comes with the answer.
  ask(question: HTMLElement): void {
    show(this.#bar, false);
    show(this.#cancel, false);
    this.element.append(question);
    question.addEventListener('click', () => {
      if (this.#settled) return;
      show(this.#bar, true);
      show(this.#cancel, true);
      this.#cancel.focus();
    });
  }

  settle(words: string): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#words.textContent = words;
    show(this.#bar, false);
    show(this.#cancel, false);
    this.element.querySelector('.bar')?.remove();
  }

  #move({ bytes: part, size, rate }: Progress): void {
    if (this.#settled) return;
    if (size) this.#bar.value = part / size;
    else this.#bar.removeAttribute('value');
    this.#words.textContent = texts.files.moving(bytes(part), this.#size(), `${bytes(rate)}/s`);
  }

  #done(mine: boolean, files: File[]): void {
    const { length } = this.#transfer.files;
    if (mine) return this.settle(this.#refused === length ? texts.files.refused : texts.files.sent(this.#size()));
    this.settle(texts.files.received(this.#size()));
    for (const file of files) this.#offer(file);
  }

  #offer(file: File): void {
    const href = URL.createObjectURL(file);
    if (PREVIEW.test(file.type)) this.element.append(el('img', { src: href, alt: file.name }));
    const label = texts.files.save(file.name);
    this.element.append(el('a', { class: 'button', href, download: file.name }, label));
  }

  #size(): string {
    const { size } = this.#transfer;
    return size === undefined ? texts.files.unknown : bytes(size);
  }
}

function nameOf({ files }: Transfer): string {
  const [first] = files;
  if (files.length === 1 && first) return first.name;
  return texts.files.several(first?.name ?? '', files.length - 1);
}
