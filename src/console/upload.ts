/** Uploads with progress, which `fetch` does not tell; several pictures become one archive on the way. */

import { address, keyHeaders, needsKey } from './server.ts';

export interface Upload {
  readonly name: string;
  readonly files: readonly File[];
  readonly options: Readonly<Record<string, unknown>>;
  /** share of the bytes that are sent, 0 to 1 */
  onProgress(share: number): void;
  readonly signal: AbortSignal;
}

const pictureTypes = /^image\/(png|jpeg|webp)$/;

/** A name for the data set from those of its files. */
export function nameOf(files: readonly File[]): string {
  const [first] = files;
  const folder = first?.webkitRelativePath.split('/')[0];
  const text =
    folder ||
    (files.length > 1 ? 'pictures' : (first?.name.replace(/(\.(tar|csv|npy|idx|zip|tgz|gz|txt))+$/i, '') ?? ''));
  return text
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63);
}

/** The server's answer. Rejects with its own words. */
export async function upload({ name, files, options, onProgress, signal }: Upload): Promise<void> {
  const [first] = files;
  if (!first) throw new TypeError('There is no file.');
  const isArchive = files.length > 1 || pictureTypes.test(first.type);
  const body: Blob = isArchive ? await tarOf(files) : first;
  const query = new URLSearchParams({ name, filename: isArchive ? `${name}.tar` : first.name });
  if (Object.keys(options).length > 0) query.set('options', JSON.stringify(options));
  await new Promise<void>((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', `${address}/v1/datasets?${query}`);
    request.setRequestHeader('content-type', 'application/octet-stream');
    for (const [header, value] of Object.entries(keyHeaders())) request.setRequestHeader(header, value);
    request.upload.addEventListener('progress', ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0));
    request.addEventListener('load', () => {
      if (request.status === 201) return resolve();
      if (request.status === 401) needsKey.value = true;
      reject(new Error(detailOf(request.responseText) ?? `The server answered ${request.status}.`));
    });
    request.addEventListener('error', () =>
      reject(new Error('The connection broke off before the server had answered.')),
    );
    request.addEventListener('abort', () => reject(new Error('The upload was stopped; nothing is kept of it.')));
    signal.addEventListener('abort', () => request.abort());
    request.send(body);
  });
}

function detailOf(text: string): string | undefined {
  try {
    const { detail } = JSON.parse(text) as { detail?: string };
    return detail;
  } catch {
    return undefined;
  }
}

const block = 512;

/** A tar archive (POSIX.1-1988, ustar) of the files, with the folders that they were chosen from: folders are classes. */
export async function tarOf(files: readonly File[]): Promise<Blob> {
  const parts: BlobPart[] = [];
  for (const file of files) {
    const path = file.webkitRelativePath || file.name;
    parts.push(
      header(path.split('/').slice(-2).join('/'), file.size),
      file,
      new Uint8Array((block - (file.size % block)) % block),
    );
  }
  return new Blob([...parts, new Uint8Array(2 * block)]);
}

function header(path: string, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(block);
  const put = (at: number, text: string): void => bytes.set(new TextEncoder().encode(text), at);
  const ending = path.slice(path.lastIndexOf('.'));
  const whole = new TextEncoder().encode(path);
  // a longer name keeps its ending, by which the server knows pictures
  put(0, whole.length < 100 ? path : `${path.slice(0, 40)}${ending}`);
  put(100, '0000644\0');
  put(124, `${size.toString(8).padStart(11, '0')}\0`);
  put(136, '00000000000\0');
  put(148, '        ');
  put(156, '0');
  put(257, 'ustar\x0000');
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
  return bytes;
}
