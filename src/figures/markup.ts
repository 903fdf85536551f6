/**
 * Elements as plain data, for pages that are written on the server (as text) and for the console (as its components). Not JSX: the
 * types of Preact would bring every name of the browser's DOM into the check of the server's code.
 */

export interface Markup {
  readonly tag: string;
  readonly attributes: Attributes;
  readonly children: readonly Child[];
}

export type Child = Markup | string | number | undefined | readonly Child[];
export type Attributes = Readonly<Record<string, string | number | undefined>>;

export const el = (tag: string, attributes: Attributes = {}, ...children: readonly Child[]): Markup => ({
  ...{ tag, attributes, children },
});

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** Text as it may stand in HTML, in attributes as well. */
const escaped = (value: string | number): string => String(value).replace(/[&<>"']/g, (char) => escapes[char] ?? char);

const withoutEnd = ['br', 'img'];

export function toHtml(child: Child): string {
  if (child === undefined) return '';
  if (typeof child === 'string' || typeof child === 'number') return escaped(child);
  if (!('tag' in child)) return child.map(toHtml).join('');
  const { tag, attributes, children } = child;
  const given = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}="${escaped(value ?? '')}"`)
    .join('');
  if (withoutEnd.includes(tag)) return `<${tag}${given}>`;
  return `<${tag}${given}>${children.map(toHtml).join('')}</${tag}>`;
}
