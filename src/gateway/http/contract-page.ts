/** The contract as one page of HTML: no script, nothing loaded from elsewhere. */

import { errorTable } from '../../base/errors.ts';
import type { Contract, ContractContent, ContractOperation, ContractSchema } from './contract.ts';

const style = `
:root { color-scheme: light dark; --line: #8884; --quiet: #5c6663; --mark: #0b6e5d; --page: #fff; --ink: #1c2321; }
@media (prefers-color-scheme: dark) { :root { --quiet: #9da8a3; --mark: #5cc9ae; --page: #121615; --ink: #e8ece9; } }
body { background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem; padding: 1rem 1.5rem 4rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
code, .path, pre { font-family: ui-monospace, monospace; font-size: .92em; overflow-wrap: anywhere; }
pre { border: 1px solid var(--line); border-radius: .4rem; overflow-x: auto; overflow-wrap: normal; padding: .6rem .8rem; }
nav { display: flex; flex-wrap: wrap; gap: 0 1rem; } a { color: inherit; } [id] { scroll-margin-top: 3rem; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; padding: .3rem .8rem; }
summary { cursor: pointer; } .method { color: var(--mark); display: inline-block; font-weight: 600; width: 4.5rem; }
table { border-collapse: collapse; margin: .5rem 0; width: 100%; } h4 { margin: .8rem 0 0; }
td, th { border-top: 1px solid var(--line); padding: .2rem .8rem .2rem 0; text-align: left; vertical-align: top; }
.quiet { color: var(--quiet); }
@media (max-width: 40rem) { table, tbody, tr, td { display: block; } th { display: none; }
td { border: 0; padding: 0; } tr { border-top: 1px solid var(--line); padding: .3rem 0; } }`;

/** The way from a job to answers, for somebody who has never seen this. */
const inShort = (address: string): string => `URL=${address}
# train: the answer names the job
curl -s $URL/v1/jobs -H 'content-type: application/json' -d '{
  "name": "my-digits", "dataset": "mnist", "model": { "type": "denoising", "code": 32 } }'
# follow it
curl -sN $URL/v1/jobs/ID/events
# ask the model, with this server's example of a noisy digit (or a picture of yours)
curl -s $URL/docs/digit.png -o digit.png
curl -s "$URL/v1/models/my-digits/encode?resize=true" -H 'content-type: image/png' --data-binary @digit.png
curl -s "$URL/v1/models/my-digits/denoise?resize=true" -H 'content-type: image/png' -H 'accept: image/png' \\
  --data-binary @digit.png -o clean.png
# rows of numbers do as well: POST {"inputs": [[…], […]]} as application/json`;

/** `address` is the server's own, for the examples. */
export function contractPage({ info, tags = [], paths, components }: Contract, address: string): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const sections = tags.map(({ name, description }) => {
    const own = operations.filter(({ operation, method }) => operation.tags?.includes(name) && method !== 'HEAD');
    return `<h2 id="${name}">${name}</h2><p>${escaped(description)}</p>${own.map(showOperation).join('')}`;
  });
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) =>
      // the id within: a link to what is inside of a closed box opens it
      `<details><summary class="path">${name}</summary><div id="schema-${name}">${showObject(schema)}</div></details>`,
  );
  const errors = Object.entries(errorTable).map(
    ([code, { http, grpc, title }]) =>
      `<tr id="${code}"><td><code>${code}</code></td><td>${http}</td><td>${grpc}</td><td>${escaped(title)}</td></tr>`,
  );
  const links = ['start', ...tags.map(({ name }) => name), 'schemas', 'errors'];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escaped(info.title)} ${escaped(info.version)}</title><style>${style}</style></head><body>
<h1>${escaped(info.title)} <span class="quiet">${escaped(info.version)}</span></h1>
<p>${escaped(info.description)} For programs: <a href="openapi.yaml">openapi.yaml</a>.</p>
<nav>${links.map((name) => `<a href="#${name}">${name}</a>`).join('')}</nav>
<h2 id="start">start</h2><pre>${escaped(inShort(address))}</pre>
${sections.join('\n')}
<h2 id="schemas">schemas</h2>${schemas.join('\n')}
<h2 id="errors">errors</h2><p>Every error is <code>application/problem+json</code> (RFC 9457) with one of these codes.</p>
<table><tr><th>code</th><th>HTTP</th><th>gRPC</th><th>meaning</th></tr>${errors.join('\n')}</table>
</body></html>
`;
}

function showOperation({
  path,
  method,
  operation,
}: {
  path: string;
  method: string;
  operation: ContractOperation;
}): string {
  const parameters = (operation.parameters ?? []).map(
    ({ name, in: place, required, description, schema }) =>
      `<tr><td><code>${escaped(name)}</code></td><td>${place}${required ? ', required' : ''}</td><td>${schema ? typeOf(schema) : ''}</td><td>${escaped(description ?? schema?.description)}</td></tr>`,
  );
  const body = operation.requestBody && `<h4>Body</h4>${showContent(operation.requestBody.content)}`;
  const responses = Object.entries(operation.responses).map(
    ([status, { description, content }]) =>
      `<tr><td><code>${status}</code></td><td>${escaped(description)}</td><td>${content ? showContent(content) : ''}</td></tr>`,
  );
  return `<details><summary><span class="method">${method}</span><span class="path">${escaped(path)}</span>
<span class="quiet">${escaped(operation.summary)}</span></summary>
${parameters.length > 0 ? `<h4>Parameters</h4><table>${parameters.join('')}</table>` : ''}${body ?? ''}
<h4>Answers</h4><table>${responses.join('')}</table></details>`;
}

function showContent(content: ContractContent): string {
  return Object.entries(content)
    .map(([type, { schema }]) => `<div><code>${escaped(type)}</code> ${schema ? typeOf(schema) : ''}</div>`)
    .join('');
}

function showObject(schema: ContractSchema): string {
  if (schema.anyOf) return schema.anyOf.map(showObject).join('<p class="quiet">or</p>');
  const rows = Object.entries(schema.properties ?? {}).map(([name, member]) => {
    const notes = [
      schema.required?.includes(name) ? 'required' : undefined,
      member.default === undefined ? undefined : `default ${JSON.stringify(member.default)}`,
      boundsOf(member),
    ].filter((note) => note !== undefined && note !== '');
    const nested = member.properties || member.anyOf?.some(({ properties }) => properties) ? showObject(member) : '';
    return `<tr><td><code>${escaped(name)}</code></td><td>${typeOf(member)}</td><td>${escaped(member.description)} <span class="quiet">${escaped(notes.join(', '))}</span>${nested}</td></tr>`;
  });
  const heading = schema.description === undefined ? '' : `<p>${escaped(schema.description)}</p>`;
  return rows.length > 0 ? `${heading}<table>${rows.join('')}</table>` : `${heading}<p>${typeOf(schema)}</p>`;
}

function typeOf(schema: ContractSchema): string {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1) ?? '';
    return `<a href="#schema-${escaped(name)}">${escaped(name)}</a>`;
  }
  if (schema.const !== undefined) return `<code>${escaped(JSON.stringify(schema.const))}</code>`;
  if (schema.enum) return schema.enum.map((value) => `<code>${escaped(JSON.stringify(value))}</code>`).join(' ');
  if (schema.anyOf) return [...new Set(schema.anyOf.map(typeOf))].join(' or ');
  if (schema.prefixItems) return `[${schema.prefixItems.map(typeOf).join(', ')}]`;
  if (schema.type === 'array') return `[${typeOf(schema.items || {})}, …]`;
  return escaped(schema.format ? `${schema.type}, ${schema.format}` : (schema.type ?? 'any'));
}

function boundsOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: ContractSchema): string {
  const bounds = { from: minimum, above: exclusiveMinimum, 'up to': maximum, below: exclusiveMaximum };
  return Object.entries(bounds)
    .filter(([, bound]) => bound !== undefined)
    .map(([word, bound]) => `${word} ${bound}`)
    .join(' ');
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string | undefined): string =>
  (text ?? '').replace(/[&<>"']/g, (char) => entities[char] ?? char);
