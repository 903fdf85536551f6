/** The page's elements by id, and small things that are said through them. */

import type { Pixels } from '../sdk/picture.ts';

/** Throws when the page lacks the element or it is of another kind. */
export function element<T extends Element>(id: string, kind: abstract new () => T): T {
  const found = document.getElementById(id);
  if (found instanceof kind) return found;
  throw new TypeError(`the page has no such ${id}`);
}

export const button = (id: string): HTMLButtonElement => element(id, HTMLButtonElement);
export const input = (id: string): HTMLInputElement => element(id, HTMLInputElement);
export const canvas = (id: string): HTMLCanvasElement => element(id, HTMLCanvasElement);
export const select = (id: string): HTMLSelectElement => element(id, HTMLSelectElement);
export const block = (id: string): HTMLElement => element(id, HTMLElement);

export function say(id: string, text: string): void {
  const place = block(id);
  if (place.textContent !== text) place.textContent = text;
}

export function show(id: string, shown: boolean): void {
  block(id).hidden = !shown;
}

export function paint(id: string, { width, height, data }: Pixels): void {
  const target = canvas(id);
  target.width = width;
  target.height = height;
  context(target).putImageData(new ImageData(new Uint8ClampedArray(data), width, height), 0, 0);
}

export function context(target: HTMLCanvasElement): CanvasRenderingContext2D {
  const found = target.getContext('2d', { willReadFrequently: true });
  if (!found) throw new TypeError('this browser draws on no canvas');
  return found;
}

/** Terms and what is said of them, in order. */
export function list(id: string, entries: Readonly<Record<string, string>>): void {
  const rows = Object.entries(entries).flatMap(([term, text]) => [made('dt', term), made('dd', text)]);
  block(id).replaceChildren(...rows);
}

export function made(tag: string, text: string, className = ''): HTMLElement {
  const node = document.createElement(tag);
  node.textContent = text;
  node.className = className;
  return node;
}
