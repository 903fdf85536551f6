/** A new job: a form made from the contract's schemas, its JSON beside it, and what the server thinks of it before it is sent. */

import { useEffect, useId, useMemo, useState } from 'preact/hooks';
import {
  type DatasetInfo,
  type JobCheck,
  type JobRequest,
  ProblemError,
  type SweepCheck,
  type SweepRequest,
} from '../../sdk/index.ts';
import { Field, type Json, type Refusal } from '../form/fields.tsx';
import { contractSchemas, followed, type Schemas } from '../form/schema.ts';
import { SearchFields } from '../form/search.tsx';
import { bytes, firstModelOf, number, rowsName, rowText } from '../format.ts';
import { useLoaded } from '../load.ts';
import { Shown, Warnings } from '../parts/notices.tsx';
import { tell } from '../parts/toasts.tsx';
import { go, href, place } from '../router.ts';
import { client, getJson, messageOf } from '../server.ts';
import { draftOf, emptySearch, type SearchDraft, searchOf } from '../sweep.ts';

interface Recipe {
  readonly name: string;
  readonly title: string;
  readonly job: Record<string, Json>;
}

type Draft = Record<string, Json>;

const modelFor = (datasets: readonly DatasetInfo[], name: string): Record<string, Json> => {
  const dataset = datasets.find((one) => one.name === name);
  return { type: dataset ? firstModelOf(dataset) : 'denoising' };
};

/** With another data set; its kind decides on the model where nothing has been filled in for one. */
function onDataset(draft: Draft, name: string, datasets: readonly DatasetInfo[]): Draft {
  const isUntouched = Object.keys(draft.model as object).length === 1;
  return { ...draft, dataset: name, ...(isUntouched && { model: modelFor(datasets, name) }) };
}

const empty: Draft = { name: '', dataset: '', model: { type: 'denoising' } };
const checkAfterMs = 350;

export function NewJobPage() {
  const { query } = place.value;
  const from = query.get('from');
  const dataset = query.get('dataset');
  const loaded = useLoaded(
    async (signal) => {
      const [schemas, datasets, recipes, earlier] = await Promise.all([
        contractSchemas(),
        client.datasets.list({ signal }),
        getJson<readonly Recipe[]>('console/recipes.json'),
        from === null ? undefined : client.jobs.get(from, { signal }),
      ]);
      const start = earlier
        ? ((earlier.asked ?? earlier.spec) as Draft)
        : { ...empty, ...(dataset && { dataset, name: dataset, model: modelFor(datasets, dataset) }) };
      return { schemas, datasets, recipes, start };
    },
    [from, dataset],
  );
  return (
    <>
      <div class="head">
        <div>
          <p class="crumbs">
            <a href={href(['jobs'])}>Jobs</a>
          </p>
          <h1>New job</h1>
        </div>
      </div>
      <Shown of={loaded}>{(parts) => <Form key={from ?? dataset ?? ''} {...parts} />}</Shown>
    </>
  );
}

interface FormProps {
  readonly schemas: Schemas;
  readonly datasets: readonly DatasetInfo[];
  readonly recipes: readonly Recipe[];
  readonly start: Draft;
}

interface Verdict {
  readonly check?: JobCheck;
  readonly refusal?: Refusal;
}

const refusalOf = (error: unknown): Refusal => ({
  field: error instanceof ProblemError ? (error.details.field ?? '') : '',
  message: messageOf(error),
});

function Form({ schemas, datasets, recipes, start }: FormProps) {
  const [draft, setDraft] = useState<Draft>(start);
  const [search, setSearch] = useState<SearchDraft | undefined>(
    place.value.query.get('sweep') === 'true' ? emptySearch : undefined,
  );
  const [text, setText] = useState(() => pretty(start));
  const [jsonError, setJsonError] = useState('');
  const [verdict, setVerdict] = useState<Verdict>({});
  const [wasTouched, setTouched] = useState(start !== empty);
  const [isSending, setSending] = useState(false);
  /** of the sweep as a whole */
  const [sweepVerdict, setSweepVerdict] = useState<{ readonly check?: SweepCheck; readonly refusal?: Refusal }>({});
  const id = useId();
  const request = useMemo(() => followed(schemas.JobRequest ?? {}, schemas), [schemas]);

  useEffect(() => {
    if (isUnfilled(draft)) return;
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const check = await client.jobs.check(draft as unknown as JobRequest, { signal: stop.signal });
        setVerdict({ check });
      } catch (error) {
        if (stop.signal.aborted) return;
        setVerdict((before) => ({ ...(before.check && { check: before.check }), refusal: refusalOf(error) }));
      }
    }, checkAfterMs);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [draft]);

  const isSweep = search !== undefined && searchOf(search) !== undefined;
  const sweep = isSweep && !isUnfilled(draft) ? JSON.stringify(requestOf(draft, search)) : undefined;
  useEffect(() => {
    setSweepVerdict({});
    if (sweep === undefined) return;
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      const asked = JSON.parse(sweep) as SweepRequest;
      try {
        setSweepVerdict({ check: await client.sweeps.check(asked, { signal: stop.signal }) });
      } catch (error) {
        if (!stop.signal.aborted) setSweepVerdict({ refusal: refusalOf(error) });
      }
    }, checkAfterMs);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [sweep]);

  const change = (next: Draft, searched = search): void => {
    setTouched(true);
    setDraft(next);
    setSearch(searched);
    setText(pretty(requestOf(next, searched)));
    setJsonError('');
  };
  const changeText = (next: string): void => {
    setTouched(true);
    setText(next);
    try {
      const parsed: unknown = JSON.parse(next);
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
        throw new TypeError('a job is an object');
      if ('job' in parsed && 'search' in parsed) {
        const { job, search: found, ...members } = parsed;
        setDraft({ ...(job as Draft), ...members });
        setSearch(draftOf(found));
      } else {
        setDraft(parsed as Draft);
        setSearch(undefined);
      }
      setJsonError('');
    } catch (error) {
      setJsonError(messageOf(error));
    }
  };
  const send = async (event: Event): Promise<void> => {
    event.preventDefault();
    setSending(true);
    try {
      const request: unknown = JSON.parse(text);
      if (isSweep) go(['sweeps', (await client.sweeps.submit(request as SweepRequest)).id]);
      else go(['jobs', (await client.jobs.submit(request as JobRequest)).id]);
      tell(isSweep ? 'The sweep is queued.' : 'The job is queued.');
    } catch (error) {
      if (isSweep) setSweepVerdict({ refusal: refusalOf(error) });
      tell(messageOf(error), true);
    }
    setSending(false);
  };

  const { check } = verdict;
  const { refusal: sweepRefusal } = sweepVerdict;
  const refusal = wasTouched && !isUnfilled(draft) ? verdict.refusal : undefined;
  const chosen = datasets.find(({ name }) => name === draft.dataset);
  const shownFields = ['name', 'dataset', 'model', 'training', 'priority', 'deadlineSeconds'];
  const isAtField = refusal?.field !== undefined && shownFields.some((name) => refusal.field.startsWith(`/${name}`));
  const field = (name: string) => (
    <Field
      name={name}
      schema={request.properties?.[name] ?? {}}
      schemas={schemas}
      value={draft[name]}
      resolved={(check?.spec as Record<string, Json> | undefined)?.[name]}
      pointer={`/${name}`}
      refusal={refusal}
      isRequired={request.required?.includes(name) ?? false}
      change={(value) => {
        const { [name]: _, ...others } = draft;
        change(value === undefined ? others : { ...draft, [name]: value });
      }}
    />
  );
  return (
    <form class="new-job" onSubmit={send}>
      <div class="form">
        <section class="card">
          <div class="field">
            <label for={`${id}-recipe`}>Start from a recipe</label>
            <select
              id={`${id}-recipe`}
              value=""
              onChange={(event) => {
                const recipe = recipes.find(({ name }) => name === event.currentTarget.value);
                if (recipe) change(recipe.job);
              }}
            >
              <option value="">choose …</option>
              {recipes.map(({ name, title }) => (
                <option key={name} value={name}>
                  {name}: {title}
                </option>
              ))}
            </select>
          </div>
          {field('name')}
          <div class="field">
            <label for={`${id}-dataset`}>
              Data set<span class="quiet"> (required)</span>
            </label>
            <select
              id={`${id}-dataset`}
              value={String(draft.dataset ?? '')}
              aria-invalid={refusal?.field === '/dataset'}
              onChange={(event) => change(onDataset(draft, event.currentTarget.value, datasets))}
            >
              {!chosen && <option value={String(draft.dataset ?? '')}>{String(draft.dataset || 'choose …')}</option>}
              {datasets.map((one) => (
                <option key={one.name} value={one.name}>
                  {one.name} ({rowText(one)}, {number(one.rows.train)} {rowsName(one)})
                </option>
              ))}
            </select>
            <small class="help">
              <a href={href(['datasets'])}>Upload another one</a>
            </small>
            {refusal?.field === '/dataset' && (
              <p class="refused" role="alert">
                {refusal.message}
              </p>
            )}
          </div>
          {field('model')}
        </section>
        <section class="card">
          {field('training')}
          <details class="group" open={search !== undefined}>
            <summary>Try several values (a sweep)</summary>
            <SearchFields
              of={search ?? emptySearch}
              spec={check?.spec}
              check={sweepVerdict.check}
              refusal={sweepVerdict.refusal}
              change={(next) => change(draft, next)}
            />
          </details>
          <details class="group">
            <summary>Order and deadline</summary>
            <div class="fields">
              {field('priority')}
              {field('deadlineSeconds')}
            </div>
          </details>
        </section>
      </div>
      <aside class="card">
        <label for={`${id}-json`}>The same as JSON</label>
        <textarea
          id={`${id}-json`}
          rows={16}
          spellcheck={false}
          value={text}
          aria-invalid={jsonError !== ''}
          onInput={(event) => changeText(event.currentTarget.value)}
        />
        {jsonError !== '' && (
          <p class="refused" role="alert">
            This is not a job yet: {jsonError}
          </p>
        )}
        <div role="status">
          {refusal && !isAtField && <p class="refused">{refusal.message}</p>}
          {refusal && isAtField && <p class="refused">The server would refuse it: see {refusal.field}.</p>}
          {!refusal && check && verdict.refusal === undefined && (
            <p class="quiet">The server would take it. Estimated memory: {bytes(check.memoryBytes)}.</p>
          )}
        </div>
        {check && verdict.refusal === undefined && <Warnings of={check.warnings} />}
        <button
          type="submit"
          class="primary"
          disabled={
            isSending ||
            isUnfilled(draft) ||
            verdict.refusal !== undefined ||
            sweepRefusal !== undefined ||
            jsonError !== ''
          }
        >
          {isSweep ? 'Start the sweep' : 'Start the training'}
        </button>
        {sweepRefusal && !verdict.refusal && !sweepRefusal.field.startsWith('/search') && (
          <p class="refused" role="alert">
            {sweepRefusal.message}
          </p>
        )}
        {isUnfilled(draft) && <p class="quiet">Give it a name and choose a data set.</p>}
      </aside>
    </form>
  );
}

const isUnfilled = ({ name, dataset }: Draft): boolean => !name || !dataset;

const pretty = (request: object): string => JSON.stringify(request, null, 2);

/** What is sent: the job alone, or a sweep around it. */
function requestOf(draft: Draft, search: SearchDraft | undefined): object {
  const searched = search && searchOf(search);
  if (!searched) return draft;
  const { priority, ...job } = draft;
  return { job, search: searched, ...(priority !== undefined && { priority }) };
}
