// A button that copies; without a clipboard (it wants https or localhost) it selects.

import { button } from './dom.js';

export function copyButton(
  label: string,
  done: string,
  source: () => { text: string; select: () => void },
): HTMLButtonElement {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const copy = button(label, async () => {
    const { text, select } = source();
    try {
      await navigator.clipboard.writeText(text);
      copy.textContent = done;
      clearTimeout(timer);
      timer = setTimeout(() => (copy.textContent = label), 2000);
    } catch {
      select();
    }
  });
  return copy;
}
