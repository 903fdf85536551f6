/** Text as it may stand in HTML, in attributes as well. */

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export const text = (value: unknown): string => String(value).replace(/[&<>"']/g, (char) => escapes[char] ?? char);
