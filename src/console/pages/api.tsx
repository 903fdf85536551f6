/** The API: its calls by group, found by words, with their fields, and each to be tried on this server. */

import { type Api, type ApiCall, isFound, loadApi } from '../api.ts';
import { useLoaded } from '../load.ts';
import { Empty, Shown } from '../parts/notices.tsx';
import { SchemaFields, typeText } from '../parts/schema-fields.tsx';
import { TryIt } from '../parts/try-it.tsx';
import { place, refine } from '../router.ts';

export function ApiPage() {
  const api = useLoaded(loadApi, []);
  return (
    <>
      <div class="head">
        <div>
          <h1>API</h1>
          <p class="quiet">
            REST, as this server speaks it; the same over gRPC. For programs: <a href="openapi.yaml">openapi.yaml</a>.
            To read and print: <a href="docs">one page with the error table</a>.
          </p>
        </div>
      </div>
      <Shown of={api}>{(of) => <Calls of={of} />}</Shown>
    </>
  );
}

function Calls({ of: api }: { of: Api }) {
  const { groups } = api;
  const search = place.value.query.get('search') ?? '';
  const opened = place.value.query.get('call');
  const found = groups
    .map((group) => ({ ...group, calls: group.calls.filter((call) => isFound(call, search)) }))
    .filter(({ calls }) => calls.length > 0);
  return (
    <>
      <div class="filters">
        <fieldset class="chips">
          <legend class="hidden">Groups</legend>
          {groups.map(({ name }) => (
            <button
              key={name}
              type="button"
              onClick={() => document.getElementById(`group-${name}`)?.scrollIntoView({ block: 'start' })}
            >
              {name}
            </button>
          ))}
        </fieldset>
        <input
          type="search"
          aria-label="Search calls"
          placeholder="encode, alias, upload …"
          value={search}
          onInput={(event) => refine({ search: event.currentTarget.value.slice(0, 100) })}
        />
      </div>
      {found.length === 0 && (
        <Empty title="No call matches">
          <button type="button" onClick={() => refine({ search: undefined })}>
            Show all calls
          </button>
        </Empty>
      )}
      {found.map(({ name, description, calls }) => (
        <section key={name} class="card" id={`group-${name}`}>
          <h2>{name}</h2>
          <p class="quiet">{description}</p>
          {calls.map((call) => (
            <details
              key={call.id}
              class="call"
              open={call.id === opened}
              onToggle={(event) => {
                if (event.currentTarget.open && call.id !== opened) refine({ call: call.id });
              }}
            >
              <summary>
                <span class={`method ${call.method.toLowerCase()}`}>{call.method}</span> <code>{call.path}</code>{' '}
                <span class="quiet">{call.operation.summary}</span>
              </summary>
              {call.id === opened && <Call of={call} api={api} />}
            </details>
          ))}
        </section>
      ))}
    </>
  );
}

function Call({ of, api }: { of: ApiCall; api: Api }) {
  const { schemas } = api;
  const { parameters = [], requestBody, responses } = of.operation;
  return (
    <div class="two">
      <div>
        {parameters.length > 0 && (
          <>
            <h3>Parameters</h3>
            <dl class="fields-list">
              {parameters.map(({ name, in: where, required, description, schema = {} }) => (
                <div key={`${where} ${name}`}>
                  <dt>
                    <code>{name}</code>{' '}
                    <span class="quiet">
                      {where}
                      {required && ', required'}, {typeText(schema, schemas)}
                    </span>
                  </dt>
                  <dd>{description ?? schema.description}</dd>
                </div>
              ))}
            </dl>
          </>
        )}
        {Object.entries(requestBody?.content ?? {}).map(([type, { schema = {} }]) => (
          <div key={type}>
            <h3>
              Body as <code>{type}</code>
            </h3>
            <SchemaFields of={schema} schemas={schemas} />
          </div>
        ))}
        <h3>Answers</h3>
        <Answers of={Object.entries(responses).filter(([status]) => /^[23]/.test(status))} schemas={schemas} />
        <details class="nested">
          <summary>refusals</summary>
          <Answers of={Object.entries(responses).filter(([status]) => !/^[23]/.test(status))} schemas={schemas} />
        </details>
      </div>
      <TryIt of={of} api={api} />
    </div>
  );
}

interface AnswersProps {
  readonly of: readonly (readonly [status: string, answer: ApiCall['operation']['responses'][string]])[];
  readonly schemas: Api['schemas'];
}

function Answers({ of, schemas }: AnswersProps) {
  return (
    <dl class="fields-list">
      {of.map(([status, { description, content = {} }]) => (
        <div key={status}>
          <dt>
            <code>{status}</code> <span class="quiet">{Object.keys(content).join(', ')}</span>
          </dt>
          <dd>
            {description}
            {status.startsWith('2') && content['application/json']?.schema && (
              <SchemaFields of={content['application/json'].schema} schemas={schemas} />
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}
