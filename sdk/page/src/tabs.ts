// Tabs as screen readers and keyboards know them (ARIA Authoring Practices, "Tabs").

import { el, show } from './dom.js';

export interface Tab {
  id: string;
  label: string;
  panel: HTMLElement;
}

export interface Tabs {
  list: HTMLElement;
  readonly current: string;
  select(id: string): void;
}

const STEPS: Record<string, (index: number, count: number) => number> = {
  ArrowRight: (index, count) => (index + 1) % count,
  ArrowLeft: (index, count) => (index + count - 1) % count,
  Home: () => 0,
  End: (_index, count) => count - 1,
};

export function tabs(label: string, prefix: string, all: Tab[], selected: (id: string) => void = () => {}): Tabs {
  const buttons = all.map(({ id, label: name, panel }) => {
    panel.id = `${prefix}-${id}`;
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('aria-labelledby', `${prefix}-${id}-tab`);
    return el(
      'button',
      { type: 'button', role: 'tab', id: `${prefix}-${id}-tab`, 'aria-controls': panel.id, onclick: () => select(id) },
      name,
    );
  });
  const list = el('div', { role: 'tablist', 'aria-label': label, class: 'tabs' }, ...buttons);
  let current = '';
  list.addEventListener('keydown', (event) => {
    const index = buttons.findIndex((it) => it === document.activeElement);
    const step = STEPS[event.key];
    const next = index >= 0 && step ? all[step(index, all.length)] : undefined;
    if (!next) return;
    event.preventDefault();
    select(next.id);
    buttons[all.indexOf(next)]?.focus();
  });
  function select(id: string): void {
    current = id;
    all.forEach((tab, index) => {
      const chosen = tab.id === id;
      buttons[index]?.setAttribute('aria-selected', String(chosen));
      buttons[index]?.setAttribute('tabindex', chosen ? '0' : '-1');
      show(tab.panel, chosen);
    });
    selected(id);
  }
  select(all[0]?.id ?? '');
  return {
    list,
    get current() {
      return current;
    },
    select,
  };
}
