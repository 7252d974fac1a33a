// Elements in one call each. Attributes only: the page's policy lets no style or script be written into it.

type Child = Node | string | number | false | null | undefined;
type Attributes = Record<string, string | number | boolean | undefined | ((event: Event) => void)>;

export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  return fill(document.createElement(tag), attributes, children);
}

export function svg<Tag extends keyof SVGElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[Tag] {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

export function button(label: string, press: () => void, attributes: Attributes = {}): HTMLButtonElement {
  return el('button', { type: 'button', ...attributes, onclick: press }, label);
}

// Shows or hides. What had the focus and goes gives it to `next`, or the keyboard would be back at the top.
export function show(element: Element, visible: boolean, next?: HTMLElement): void {
  const held = !visible && element.contains(document.activeElement);
  element.toggleAttribute('hidden', !visible);
  if (held) next?.focus();
}

// In a page that is looked at.
export function isSeen(element: Element): boolean {
  return !document.hidden && element.getClientRects().length > 0;
}

function fill<Node_ extends Element>(element: Node_, attributes: Attributes, children: Child[]): Node_ {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) {
    if (child !== false && child !== null && child !== undefined) {
      element.append(child instanceof Node ? child : String(child));
    }
  }
  return element;
}
