export interface Licence {
  readonly name: string;
  readonly version: string;
  readonly licence: string;
  readonly isShipped: boolean;
  readonly isAccepted: boolean;
}

/** `lock`: the content of a package-lock.json; default: this project's. */
export function licences(lock?: { readonly packages: Readonly<Record<string, object>> }): Licence[];
