/** Pictures from a file or the camera: live where the browser allows it, through the phone's own camera app otherwise. */

import { block, button, element, input } from './page.ts';

export interface PictureSink {
  readonly onPicture: (picture: CanvasImageSource, width: number, height: number) => void;
  readonly onFailure: (text: string) => void;
}

export function connectPictures({ onPicture, onFailure }: PictureSink): void {
  for (const id of ['file', 'camera-file']) {
    const chooser = input(id);
    chooser.addEventListener('change', async () => {
      const [file] = chooser.files ?? [];
      chooser.value = '';
      if (!file) return;
      const picture = await createImageBitmap(file).catch(() => undefined);
      if (picture) onPicture(picture, picture.width, picture.height);
      else onFailure(`${file.name} is no picture that this browser can read. Try a PNG, JPEG or WebP file.`);
      picture?.close();
    });
  }
  button('file-button').addEventListener('click', () => input('file').click());
  const dialog = element('camera', HTMLDialogElement);
  const video = element('video', HTMLVideoElement);
  button('camera-button').addEventListener('click', async () => {
    // only on https and localhost
    if (!navigator.mediaDevices) return input('camera-file').click();
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
    } catch {
      return onFailure('The camera cannot be used: none is here, or this page may not use it. Open a file instead.');
    }
    button('camera-take').disabled = true;
    dialog.showModal();
    // rejects when the dialog is closed before the first picture
    await video.play().then(
      () => {
        button('camera-take').disabled = false;
      },
      () => undefined,
    );
  });
  button('camera-cancel').addEventListener('click', () => dialog.close());
  button('camera-take').addEventListener('click', () => {
    onPicture(video, video.videoWidth, video.videoHeight);
    dialog.close();
  });
  dialog.addEventListener('close', () => {
    for (const track of video.srcObject instanceof MediaStream ? video.srcObject.getTracks() : []) track.stop();
    video.srcObject = null;
    block('camera-button').focus();
  });
}
