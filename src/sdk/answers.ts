/** Answers whose facts are in headers. */

import type { Answer } from './requests.ts';
import type { HttpResponse } from './transport.ts';

export function versionOf({ headers }: HttpResponse): { readonly model: string; readonly version: number } {
  const [model = '', version] = (headers.get('x-hourglass-model') ?? '').split('@');
  return { model, version: Number(version) };
}

/** Rows of float32, their number and the model in headers. */
export async function answerOf(response: HttpResponse): Promise<Answer> {
  const rows = Number((response.headers.get('x-hourglass-shape') ?? '').split(',')[0]);
  return { ...versionOf(response), data: new Float32Array(await response.arrayBuffer()), rows };
}
