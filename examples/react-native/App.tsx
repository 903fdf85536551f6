// A camera, a button, and what came back from a frame of some twenty bytes. Expo 52 and newer; see docs/react-native.md.

import AsyncStorage from '@react-native-async-storage/async-storage';
import NetInfo from '@react-native-community/netinfo';
import { CameraView, useCameraPermissions } from 'expo-camera';
import { ImageManipulator, SaveFormat } from 'expo-image-manipulator';
import { type Pixels, pixelsOfRow } from 'hourglass-sdk';
import { decode } from 'jpeg-js';
import { useEffect, useRef, useState } from 'react';
import { Button, Text, View } from 'react-native';
import { openFrameSender } from './frames';

const baseUrl = process.env.EXPO_PUBLIC_HOURGLASS_URL ?? 'http://10.0.2.2:8080'; // the host of Android's emulator
const model = 'digits';
/** enlarged pixels of the picture that came back */
const dot = 8;

/** A photo as pixels: made small first, since decoding a large JPEG in JavaScript takes seconds. */
async function pixelsOf(uri: string): Promise<Pixels> {
  const small = await ImageManipulator.manipulate(uri).resize({ width: 128 }).renderAsync();
  const { base64 = '' } = await small.saveAsync({ base64: true, format: SaveFormat.JPEG });
  const { width, height, data } = decode(
    Uint8Array.from(atob(base64), (digit) => digit.charCodeAt(0)),
    { useTArray: true },
  );
  return { width, height, data: new Uint8ClampedArray(data) };
}

export default function App() {
  const camera = useRef<CameraView>(null);
  const [permission, ask] = useCameraPermissions();
  const [sender, setSender] = useState<Awaited<ReturnType<typeof openFrameSender>>>();
  const [said, setSaid] = useState('Loading the encoder …');
  const [back, setBack] = useState<Pixels>();

  useEffect(() => {
    openFrameSender({
      ...{ baseUrl, model, storage: AsyncStorage },
      onDelivered: ({ data }) => setDecoded(data),
      onRefused: setSaid,
    })
      .then((opened) => {
        setSender(opened);
        setSaid('Ready.');
      })
      .catch((error: Error) => setSaid(error.message));
  }, []);
  const setDecoded = (data: Float32Array): void => {
    setSender((open) => {
      if (open) setBack(pixelsOfRow(data, open.manifest));
      return open;
    });
  };
  // what waited while there was no network goes out when it is back
  useEffect(() => NetInfo.addEventListener(({ isConnected }) => void (isConnected && sender?.flush())), [sender]);

  const take = async (): Promise<void> => {
    const photo = await camera.current?.takePictureAsync();
    if (!photo || !sender) return;
    const { bytes, waiting } = await sender.send(await pixelsOf(photo.uri), 40);
    setSaid(waiting > 0 ? `${bytes} bytes; ${waiting} frames wait for the network.` : `${bytes} bytes sent.`);
  };

  if (!permission?.granted) return <Button title="Allow the camera" onPress={ask} />;
  return (
    <View style={{ flex: 1, gap: 12, padding: 24 }}>
      <CameraView ref={camera} style={{ aspectRatio: 1 }} />
      <Button title="Encode and send" onPress={take} disabled={!sender} />
      <Text>{said}</Text>
      {back && (
        <View style={{ flexDirection: 'row', flexWrap: 'wrap', width: back.width * dot }}>
          {Array.from({ length: back.width * back.height }, (_, i) => (
            <View
              key={i}
              style={{
                width: dot,
                height: dot,
                backgroundColor: `rgb(${back.data[4 * i]},${back.data[4 * i + 1]},${back.data[4 * i + 2]})`,
              }}
            />
          ))}
        </View>
      )}
    </View>
  );
}
