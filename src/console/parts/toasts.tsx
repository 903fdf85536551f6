/** Short messages in the corner, read out by screen readers, and questions before something is lost. */

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { messageOf } from '../server.ts';

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly isWrong: boolean;
}

const toasts = signal<readonly Toast[]>([]);
let count = 0;

export function tell(text: string, isWrong = false): void {
  const toast = { id: ++count, text, isWrong };
  toasts.value = [...toasts.value.slice(-3), toast];
  setTimeout(() => dismiss(toast.id), isWrong ? 12_000 : 5000);
}

const dismiss = (id: number): void => {
  toasts.value = toasts.value.filter((toast) => toast.id !== id);
};

/** Does something that may be refused, and says how it went. */
export async function attempt(what: () => Promise<unknown>, done: string): Promise<boolean> {
  try {
    await what();
    tell(done);
    return true;
  } catch (error) {
    tell(messageOf(error), true);
    return false;
  }
}

interface Question {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  answer(yes: boolean): void;
}

const question = signal<Question | undefined>(undefined);

/** Resolves to true when the person agrees. */
export function ask(title: string, text: string, action: string): Promise<boolean> {
  return new Promise((resolve) => {
    question.value = {
      ...{ title, text, action },
      answer(yes) {
        question.value = undefined;
        resolve(yes);
      },
    };
  });
}

function QuestionBox({ of }: { of: Question }) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => box.current?.showModal(), []);
  return (
    <dialog ref={box} aria-labelledby="question-title" onCancel={() => of.answer(false)}>
      <h2 id="question-title">{of.title}</h2>
      <p>{of.text}</p>
      <div class="buttons">
        <button type="button" class="danger" onClick={() => of.answer(true)}>
          {of.action}
        </button>
        <button type="button" onClick={() => of.answer(false)}>
          Keep
        </button>
      </div>
    </dialog>
  );
}

export function Toasts() {
  return (
    <>
      {question.value && <QuestionBox of={question.value} />}
      <div class="toasts" aria-live="polite">
        {toasts.value.map(({ id, text, isWrong }) => (
          <div key={id} class={isWrong ? 'toast wrong' : 'toast'}>
            <span>{text}</span>
            <button type="button" class="plain" aria-label="Dismiss" onClick={() => dismiss(id)}>
              ×
            </button>
          </div>
        ))}
      </div>
    </>
  );
}
