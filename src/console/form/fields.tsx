/** Fields made from a schema. A field that is left empty is left out of the request, so that its default applies. */

import { useId } from 'preact/hooks';
import { followed, helpOf, kindsOf, limitsOf, type Schema, type Schemas } from './schema.ts';

export type Json = unknown;

export interface FieldProps {
  readonly name: string;
  readonly schema: Schema;
  readonly schemas: Schemas;
  readonly value: Json;
  /** what the server would take where nothing is given */
  readonly resolved: Json;
  /** JSON pointer of this field */
  readonly pointer: string;
  readonly refusal: Refusal | undefined;
  readonly isRequired: boolean;
  /** undefined leaves the member out */
  change(value: Json): void;
}

export interface Refusal {
  readonly field: string;
  readonly message: string;
}

const labelOf = (name: string): string => {
  const words = name.replace(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
  return words.charAt(0).toUpperCase() + words.slice(1);
};

const isObject = (value: Json): value is Record<string, Json> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function Field(props: FieldProps) {
  const schema = followed(props.schema, props.schemas);
  if (schema.const !== undefined) return null;
  if (kindsOf(schema, props.schemas)) return <KindField {...props} schema={schema} />;
  if (schema.properties) return <ObjectField {...props} schema={schema} />;
  return <ValueField {...props} schema={schema} />;
}

/** Members of an object, without a frame of its own. */
export function Members({
  schema,
  value,
  resolved,
  pointer,
  change,
  ...rest
}: Omit<FieldProps, 'name' | 'isRequired'> & { schema: Schema }) {
  const given = isObject(value) ? value : {};
  const known = isObject(resolved) ? resolved : {};
  return (
    <>
      {Object.entries(schema.properties ?? {}).map(([name, member]) => (
        <Field
          key={name}
          {...rest}
          name={name}
          schema={member}
          value={given[name]}
          resolved={known[name]}
          pointer={`${pointer}/${name}`}
          isRequired={schema.required?.includes(name) ?? false}
          change={(next) => {
            const { [name]: _, ...others } = given;
            const changed = next === undefined ? others : { ...given, [name]: next };
            change(Object.keys(changed).length === 0 ? undefined : changed);
          }}
        />
      ))}
    </>
  );
}

/** One of several kinds, each with fields of its own. */
function KindField(props: FieldProps & { schema: Schema }) {
  const { name, schema, schemas, value, resolved, pointer, refusal, isRequired, change } = props;
  const id = useId();
  const kinds = kindsOf(schema, schemas) ?? {};
  const given = isObject(value) ? String(value.type ?? '') : '';
  const known = resolved ?? helpOf(schema).usual;
  const usual = isObject(known) ? String(known.type ?? '') : '';
  const kind = kinds[given];
  return (
    <fieldset class="group">
      <label for={id}>{labelOf(name)}</label>
      <select
        id={id}
        value={given}
        aria-invalid={isWrong(refusal, pointer)}
        onChange={(event) => change(event.currentTarget.value === '' ? undefined : { type: event.currentTarget.value })}
      >
        {!isRequired && <option value="">{usual === '' ? 'none' : `default (${usual})`}</option>}
        {Object.keys(kinds).map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
      <Help schema={schema} />
      <Refused refusal={refusal} pointer={pointer} />
      {kind && (
        <div class="fields">
          <Members
            {...{ schemas, refusal, pointer }}
            schema={kind}
            value={value}
            resolved={usual === given ? resolved : undefined}
            change={(next) => change({ ...(isObject(next) ? next : {}), type: given })}
          />
        </div>
      )}
    </fieldset>
  );
}

function ObjectField({
  name,
  schema,
  value,
  pointer,
  refusal,
  isRequired: _,
  ...rest
}: FieldProps & { schema: Schema }) {
  const isOpen = value !== undefined || refusal?.field.startsWith(`${pointer}/`);
  return (
    <details class="group" open={isOpen}>
      <summary>{labelOf(name)}</summary>
      <Help schema={schema} />
      <Refused refusal={refusal} pointer={pointer} />
      <div class="fields">
        <Members {...rest} {...{ schema, value, pointer, refusal }} />
      </div>
    </details>
  );
}

function ValueField({
  name,
  schema,
  value,
  resolved,
  pointer,
  refusal,
  isRequired,
  change,
}: FieldProps & { schema: Schema }) {
  const id = useId();
  const fallback = resolved ?? schema.default ?? helpOf(schema).usual;
  const shared = {
    id,
    'aria-invalid': isWrong(refusal, pointer),
    'aria-describedby': `${id}-help`,
  };
  const placeholder = fallback === undefined ? '' : textOf(fallback);
  const options = schema.enum ?? (schema.type === 'boolean' ? [true, false] : undefined);
  return (
    <div class="field">
      <label for={id}>
        {labelOf(name)}
        {isRequired && <span class="quiet"> (required)</span>}
      </label>
      {options ? (
        <select
          {...shared}
          value={value === undefined ? '' : String(value)}
          onChange={(event) => {
            const chosen = event.currentTarget.value;
            change(options.find((option) => String(option) === chosen));
          }}
        >
          {!isRequired && (
            <option value="">
              {fallback === undefined
                ? 'not set'
                : `default (${options.includes(fallback) && typeof fallback === 'boolean' ? yesOrNo(fallback) : placeholder})`}
            </option>
          )}
          {options.map((option) => (
            <option key={String(option)} value={String(option)}>
              {typeof option === 'boolean' ? yesOrNo(option) : String(option)}
            </option>
          ))}
        </select>
      ) : (
        <input
          {...shared}
          value={value === undefined ? '' : textOf(value)}
          placeholder={placeholder}
          inputMode={schema.type === 'integer' || schema.type === 'number' ? 'decimal' : 'text'}
          autoComplete="off"
          spellcheck={false}
          onInput={(event) => change(readValue(event.currentTarget.value, schema))}
        />
      )}
      <Help schema={schema} id={`${id}-help`} />
      <Refused refusal={refusal} pointer={pointer} />
    </div>
  );
}

const yesOrNo = (value: boolean): string => (value ? 'yes' : 'no');

const textOf = (value: Json): string =>
  Array.isArray(value)
    ? value.map((item) => (typeof item === 'object' ? JSON.stringify(item) : String(item))).join(', ')
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value);

/** What a text stands for: numbers and lists where the schema has them; what is none is sent as it is, for the server to refuse. */
export function readValue(text: string, schema: Schema): Json {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  if (schema.type === 'array') return trimmed.split(',').map((item) => readValue(item, schema.items ?? {}) ?? '');
  const takesText = schema.type === 'string';
  if (!takesText && /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(trimmed)) return Number(trimmed);
  if (!takesText && /^[[{]/.test(trimmed)) {
    try {
      return JSON.parse(trimmed) as Json;
    } catch {
      return text;
    }
  }
  return text;
}

function Help({ schema, id }: { schema: Schema; id?: string }) {
  const text = [helpOf(schema).text, limitsOf(schema)].filter(Boolean).join('; ');
  return text === '' ? null : (
    <small class="help" id={id}>
      {text}
    </small>
  );
}

const isWrong = (refusal: Refusal | undefined, pointer: string): boolean => refusal?.field === pointer;

function Refused({ refusal, pointer }: { refusal: Refusal | undefined; pointer: string }) {
  return refusal && isWrong(refusal, pointer) ? (
    <p class="refused" role="alert">
      {refusal.message}
    </p>
  ) : null;
}
