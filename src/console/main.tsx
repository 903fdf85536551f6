/** Starts the console in its page. */

import { render } from 'preact';
import { App } from './app.tsx';

const root = document.getElementById('app');
if (!root) throw new TypeError('the page has no place for the console');
render(<App />, root);
