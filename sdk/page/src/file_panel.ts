// Files to and from one other device, as entries of its conversation.

// For connection.sendFile and the event `file`.
import 'peerway/files';

import type { DataConnection } from 'peerway';
import type { FileEntry, Target } from 'peerway/files';

import type { Chat } from './chat.js';
import { button, el, show } from './dom.js';
import { clockTime } from './numbers.js';
import { texts } from './texts.js';
import { TransferEntry } from './transfer_entry.js';

const LARGE = 200_000_000;

export class FilePanel {
  readonly #chat: Chat;
  readonly #who: string;
  readonly #connection: () => DataConnection | undefined;

  constructor(who: string, chat: Chat, connection: () => DataConnection | undefined) {
    this.#who = who;
    this.#chat = chat;
    this.#connection = connection;
  }

  // Around the conversation: a button to choose, a place to drop.
  wrap(conversation: HTMLElement): HTMLElement {
    const input = el('input', { type: 'file', multiple: true, hidden: true, 'aria-label': texts.files.choose });
    input.addEventListener('change', () => {
      this.#send([...(input.files ?? [])]);
      input.value = '';
    });
    this.#chat.form.append(
      input,
      button(texts.files.choose, () => input.click()),
    );
    const area = el(
      'div',
      { class: 'drop' },
      conversation,
      el('p', { class: 'drop-hint', 'aria-hidden': true }, texts.files.drop),
    );
    const isFile = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
    area.addEventListener('dragover', (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      area.classList.add('over');
    });
    area.addEventListener('dragleave', (event) => {
      if (!area.contains(event.relatedTarget as Node | null)) area.classList.remove('over');
    });
    area.addEventListener('drop', (event) => {
      if (!isFile(event)) return;
      event.preventDefault();
      area.classList.remove('over');
      this.#send([...(event.dataTransfer?.files ?? [])]);
    });
    return area;
  }

  // What comes over this connection. The user is asked before anything is taken.
  follow(connection: DataConnection): void {
    connection.on('file', (transfer) => {
      const entry = new TransferEntry(transfer, this.#head(this.#who), false);
      const accept = button(
        texts.files.accept,
        async () => {
          decided();
          const to = await chooseTarget(transfer.files);
          transfer.accept({ to: () => to }).catch(() => {});
        },
        { class: 'primary' },
      );
      const refuse = button(texts.files.refuse, () => {
        decided();
        transfer.refuse();
        entry.settle(texts.files.refused);
      });
      const question = el('div', { class: 'bar' }, accept, refuse);
      const decided = (): void => show(question, false);
      entry.ask(question);
      this.#chat.add(entry.element);
    });
  }

  #send(files: File[]): void {
    if (files.length === 0) return;
    const connection = this.#connection();
    if (!connection) return this.#chat.happened(texts.chat.notSent);
    const entry = new TransferEntry(connection.sendFile(files), this.#head(texts.chat.me), true);
    this.#chat.add(entry.element);
  }

  #head(who: string): HTMLElement {
    return el('span', { class: 'who' }, `${who} `, el('time', {}, clockTime()));
  }
}

// A large file goes straight to the disk where the browser can do that, and is put together in its memory elsewhere.
async function chooseTarget([file, ...others]: readonly FileEntry[]): Promise<Target | undefined> {
  const { showSaveFilePicker } = globalThis as {
    showSaveFilePicker?: (options: { suggestedName: string }) => Promise<Target>;
  };
  if (!file || others.length > 0 || (file.size ?? 0) < LARGE || !showSaveFilePicker) return undefined;
  const suggestedName = file.name.split(/[\\/]/).at(-1) ?? '';
  // Who closes the dialogue has accepted all the same.
  return showSaveFilePicker({ suggestedName }).catch(() => undefined);
}
