/** Lines for the person who started `hourglass up`. On a terminal a status line is overwritten; elsewhere it is thinned out. */

export interface Terminal {
  line(text?: string): void;
  /** the newest state of something that goes on */
  status(text: string): void;
  endStatus(): void;
}

export interface TerminalStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const thinnedMs = 2000;
const clear = '\r\x1b[K';

export function createTerminal(stream: TerminalStream): Terminal {
  let status = '';
  let shownAt = 0;
  const show = (text: string): void => {
    shownAt = Date.now();
    stream.write(stream.isTTY ? `${clear}${text.slice(0, (stream.columns ?? 80) - 1)}` : `${text}\n`);
  };
  return {
    line(text = '') {
      stream.write(`${stream.isTTY && status ? clear : ''}${text}\n`);
    },
    status(text) {
      status = text;
      if (stream.isTTY || Date.now() - shownAt >= thinnedMs) show(text);
    },
    endStatus() {
      if (status === '') return;
      show(status);
      if (stream.isTTY) stream.write('\n');
      status = '';
    },
  };
}
