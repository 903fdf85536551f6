// A real headless Chromium for tests of pages. Where none is installed, these tests are skipped and say how to get one.
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';

const programs = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const onPath = (process.env.PATH ?? '')
  .split(path.delimiter)
  .flatMap((folder) => programs.map((program) => path.join(folder, program)));

/** Undefined where none is installed. */
export const chromiumPath = onPath.find(isProgram);

if (!chromiumPath) {
  console.warn('No Chromium here: tests of pages are SKIPPED. Install it with: sudo apt-get install -y chromium');
}

export interface TestBrowser {
  readonly context: BrowserContext;
  close(): Promise<void>;
}

/** With an empty profile of its own; nothing it starts looks for hosts elsewhere. */
export async function startBrowser(options: BrowserContextOptions = {}): Promise<TestBrowser> {
  if (!chromiumPath) throw new Error('there is no Chromium');
  const profile = mkdtempSync(path.join(os.tmpdir(), 'hourglass-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
    ],
    ...options,
  });
  return {
    context,
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}
