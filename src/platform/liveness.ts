/** Asks a gateway or worker on this machine whether it is alive: `hourglass health`, the HEALTHCHECK of the images. */

const timeoutMs = 2500;

/** True when the process answers /livez on its metrics port in time. */
export async function isLive(metricsPort: number): Promise<boolean> {
  try {
    const url = `http://127.0.0.1:${metricsPort}/livez`;
    return (await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })).ok;
  } catch {
    return false;
  }
}
