// The third tab: what to paste into a page of one's own.

import { copyButton } from './copy.js';
import { el } from './dom.js';
import { module, peerjs, script, skyway, type Place } from './snippets.js';
import { tabs } from './tabs.js';
import { texts } from './texts.js';

const MAKERS = { script, module, peerjs, skyway };
type Library = keyof typeof MAKERS;

export class CodeTab {
  readonly panel: HTMLElement;
  readonly #blocks: Record<Library, HTMLElement>;

  constructor(place: Place) {
    const libraries = Object.keys(MAKERS) as Library[];
    // The first is what a hurried reader, and our own test, look for.
    const block = (library: Library): HTMLElement =>
      el('pre', { tabindex: '0', id: library === 'script' ? 'snippet' : `snippet-${library}` });
    this.#blocks = Object.fromEntries(libraries.map((library) => [library, block(library)])) as Record<
      Library,
      HTMLElement
    >;
    const all = libraries.map((id) => {
      const source = this.#blocks[id];
      const select = (): void => getSelection()?.selectAllChildren(source);
      const copy = copyButton(texts.code.copy, texts.code.copied, () => ({ text: source.textContent ?? '', select }));
      return { id, label: texts.code.tabs[id], panel: el('div', {}, source, copy) };
    });
    const { list } = tabs(texts.code.tabsLabel, 'code', all);
    this.panel = el(
      'section',
      { class: 'card' },
      el('h2', {}, texts.code.heading),
      el('p', { class: 'soft' }, texts.code.about),
      list,
      ...all.map(({ panel }) => panel),
    );
    this.draw(place);
  }

  draw(place: Place): void {
    for (const [library, block] of Object.entries(this.#blocks)) block.textContent = MAKERS[library as Library](place);
  }
}
