/** What the audit log keeps of each change: who did what to which thing, when and from where. Never a secret, never content. */

import { type Static, Type } from 'typebox';
import { tenantPattern } from '../base/caller.ts';
import { hideCredentials } from '../platform/secrets.ts';

/** What can be done, and how the thing is written that it was done to. Braces are filled in by the members of a call. */
export const auditActions = {
  'job.submit': 'jobs/{id}',
  'job.cancel': 'jobs/{id}',
  'job.resume': 'jobs/{id}',
  'job.retry': 'jobs/{id}',
  'job.delete': 'jobs/{id}',
  'sweep.submit': 'sweeps/{id}',
  'sweep.cancel': 'sweeps/{id}',
  'dataset.create': 'datasets/{name}',
  'dataset.delete': 'datasets/{name}',
  'alias.set': 'models/{model}/aliases/{alias}',
  'alias.delete': 'models/{model}/aliases/{alias}',
  'version.delete': 'models/{model}/versions/{version}',
  'model.delete': 'models/{model}',
  'model.share': 'models/{model}',
  'model.unshare': 'models/{model}',
  'model.load': 'models/{model}',
  'model.unload': 'models/{model}',
  'key.create': 'keys/{id}',
  'key.rotate': 'keys/{id}',
  'key.revoke': 'keys/{id}',
} as const satisfies Record<string, string>;
export type AuditAction = keyof typeof auditActions;

/** Members of a call that are told besides the thing itself. */
const toldMembers: Readonly<Partial<Record<AuditAction, readonly string[]>>> = {
  'job.submit': ['name', 'dataset'],
  'alias.set': ['version'],
  'version.delete': ['force'],
  'model.delete': ['force'],
  'key.create': ['name', 'tenant', 'scopes'],
  'key.rotate': ['newId'],
};

const longest = 200;

/** `members`: of the request, and of the answer where it names what was made. */
export function describeChange(action: AuditAction, members: Readonly<Record<string, unknown>>) {
  const show = (name: string): string => hideCredentials(String(members[name] ?? '')).slice(0, longest);
  const told = (toldMembers[action] ?? []).filter((name) => ![undefined, '', false].includes(members[name] as never));
  return {
    target: auditActions[action].replace(/\{(\w+)\}/g, (_, name: string) => show(name)),
    ...(told.length > 0 && { details: Object.fromEntries(told.map((name) => [name, show(name)])) }),
  };
}

export const auditIdPattern = '^[0-9]{1,20}-[0-9]{1,20}$';

export const AuditEntry = Type.Object({
  id: Type.String({ pattern: auditIdPattern, description: 'grows with time' }),
  at: Type.String({ format: 'date-time' }),
  caller: Type.String({ description: '`key:ID`, `token:SUBJECT`, or `anybody` without access control' }),
  tenant: Type.String({ description: 'of the caller' }),
  action: Type.Enum(Object.keys(auditActions), { description: 'what was done' }),
  target: Type.String({ description: 'to what, as in the paths of this API: `models/digits/aliases/stable`' }),
  details: Type.Optional(Type.Record(Type.String(), Type.String(), { description: 'what else the call said' })),
  outcome: Type.Enum(['done', 'unknown'], {
    description: 'unknown: the queue did not say whether it did what was asked',
  }),
  requestId: Type.String({ description: 'X-Request-Id of the call' }),
  transport: Type.Enum(['rest', 'grpc']),
  address: Type.Optional(Type.String({ description: 'where the call came from; of IPv6 the /64 network' })),
});
export type AuditEntry = Static<typeof AuditEntry>;
/** Before it is stored, which gives it its place. */
export type NewAuditEntry = Omit<AuditEntry, 'id'>;

export const AuditPage = Type.Object({
  entries: Type.Array(AuditEntry, { description: 'newest first' }),
  nextCursor: Type.Optional(Type.String({ description: 'for ?cursor= of the next page; absent on the last' })),
});
export type AuditPage = Static<typeof AuditPage>;

export const AuditQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 50, description: 'entries on a page' })),
    cursor: Type.Optional(Type.String({ pattern: auditIdPattern, description: 'nextCursor of the page before' })),
    tenant: Type.Optional(
      Type.String({ pattern: tenantPattern, description: "default: the caller's; another only from tenant default" }),
    ),
  },
  { additionalProperties: false },
);
export type AuditQuery = Static<typeof AuditQuery>;
