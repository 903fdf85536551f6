/** What reports are made of, as components: markup of src/figures, whose pictures are fetched with the key of the session. */

import { type ComponentChildren, h } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Child } from '../../figures/markup.ts';
import { address, call } from '../server.ts';

export const Drawn = ({ of }: { of: Child }) => <>{drawn(of)}</>;

function drawn(child: Child): ComponentChildren {
  if (child === undefined || typeof child === 'string' || typeof child === 'number') return child;
  if (!('tag' in child)) return child.map(drawn);
  const { tag, attributes, children } = child;
  if (tag === 'img') return <StoredPicture file={String(attributes.src)} label={String(attributes.alt ?? '')} />;
  // what scrolls must be reachable by keyboard
  const focus = attributes.class === 'wide' ? { tabIndex: 0, role: 'region', 'aria-label': 'Table' } : {};
  return h(tag, { ...attributes, ...focus }, ...children.map(drawn));
}

/** A picture among the files of a version. An `img` could not send the key that the server may want. */
function StoredPicture({ file, label }: { file: string; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const stop = new AbortController();
    void draw(file, canvas.current, stop.signal).catch(() => undefined);
    return () => stop.abort();
  }, [file]);
  return <canvas ref={canvas} class="picture" role="img" aria-label={label} />;
}

async function draw(file: string, canvas: HTMLCanvasElement | null, signal: AbortSignal): Promise<void> {
  const answer = await call(`${address}/${file}`, { method: 'GET', headers: { accept: 'image/png' }, signal });
  if (!canvas || !answer.ok) return;
  const picture = await createImageBitmap(new Blob([await answer.arrayBuffer()], { type: 'image/png' }));
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext('2d')?.drawImage(picture, 0, 0);
}
