/** HTTP Strict Transport Security (RFC 6797): browsers that have once asked over https do not ask this host over http again. */

import type { Config } from '../../platform/config.ts';

export const hstsHeader = 'strict-transport-security';

/** Undefined where connections are not encrypted, or nobody wants it. */
export const hstsOf = ({ tlsCert, hstsMs }: Pick<Config, 'tlsCert' | 'hstsMs'>): string | undefined =>
  tlsCert === null || hstsMs === 0 ? undefined : `max-age=${Math.floor(hstsMs / 1000)}`;
