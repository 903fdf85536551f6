/** What a setting is, and the groups that `hourglass --help` lists settings in. */

import type { Kind } from './setting-kinds.ts';

export const settingGroups = [
  'network',
  'tls',
  'access',
  'storage',
  'queue',
  'tenants',
  'training',
  'serving',
  'limits',
  'log',
  'traces',
] as const;
export type SettingGroup = (typeof settingGroups)[number];

export interface Setting<T> {
  readonly variable: string;
  readonly kind: Kind<T>;
  /** as one would write it into the variable; null: none, the value is then null */
  readonly fallback: string | null;
  readonly group: SettingGroup;
  readonly doc: string;
  /** never logged or shown */
  readonly secret: boolean;
}

export function groupOf(group: SettingGroup) {
  return <T>(variable: string, kind: Kind<T>, fallback: string | null, doc: string, secret = false): Setting<T> => ({
    variable,
    kind,
    fallback,
    group,
    doc,
    secret,
  });
}
