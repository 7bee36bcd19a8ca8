import {
  aurora,
  balloon,
  firs,
  hill,
  houses,
  type Layer,
  landscape,
  lighthouse,
  mountains,
  sea,
  sky,
  stars,
  sun,
} from './landscape.js'

export interface Photo {
  id: string
  title: string
  album: string
  image: string
}

interface Scene {
  owner: string
  album: string
  title: string
  layers: Layer[]
}

const scenes: Scene[] = [
  {
    owner: 'alice',
    album: 'North',
    title: 'Northern lights',
    layers: [
      sky('#050b24', '#16405a'),
      stars(110),
      aurora('#4dffb0', 170),
      mountains(300, 90, '#1d3b52', '#0b1a2c'),
      firs(392, 62, '#050d18'),
    ],
  },
  {
    owner: 'alice',
    album: 'North',
    title: 'Snow at noon',
    layers: [
      sky('#4c8fd0', '#d9ecf7'),
      mountains(180, 260, '#ffffff', '#7fa6c9', 0.56),
      mountains(290, 110, '#f3f8fc', '#a9c4da', 0.5),
      firs(398, 74, '#234458'),
    ],
  },
  {
    owner: 'alice',
    album: 'North',
    title: 'First light on the fjord',
    layers: [
      sky('#4b3f72', '#ffc9a3'),
      sun(410, 216, 20, '#fff1d6'),
      mountains(205, 130, '#8b6a93', '#d79a96'),
      mountains(240, 120, '#5a4a7c', '#7d5f85', 0.55),
      sea(272, '#c58f92', '#3d3560', '#ffe6cc', 410),
    ],
  },
  {
    owner: 'alice',
    album: 'The coast',
    title: 'Sun into the sea',
    layers: [
      sky('#f2545b', '#ffd56b', 0, 250),
      sun(300, 232, 44, '#fff4c9'),
      sea(250, '#f0875c', '#6a2c5c', '#fff0c0', 300),
    ],
  },
  {
    owner: 'alice',
    album: 'The coast',
    title: 'Lighthouse',
    layers: [
      sky('#1d2b55', '#e58f7a', 0, 290),
      stars(40),
      sea(278, '#8d6a86', '#1b2547', '#ffd9b0', 160),
      lighthouse(520, 276),
      hill(385, 350, 276, '#2b2540', '#131326'),
    ],
  },
  {
    owner: 'alice',
    album: 'The coast',
    title: 'Green headland',
    layers: [
      sky('#69b7e0', '#eaf6f3'),
      sun(120, 84, 22, '#fffbe6'),
      sea(230, '#3f9fb8', '#17607f', '#e8fbff', 130),
      hill(330, 160, 300, '#8fc26a', '#3c7a45'),
      hill(380, 330, 348, '#5da250', '#255b38'),
    ],
  },
  {
    owner: 'alice',
    album: 'Sand and stone',
    title: 'Dunes',
    layers: [
      sky('#5aa9d6', '#fbe3bd'),
      sun(470, 90, 24, '#fff7dc'),
      hill(270, 190, 250, '#f2b872', '#d98b4b'),
      hill(330, 300, 270, '#e59a55', '#b8632f'),
      hill(350, 400, 330, '#c9743a', '#7d3b1e'),
    ],
  },
  {
    owner: 'alice',
    album: 'Sand and stone',
    title: 'Balloons before breakfast',
    layers: [
      sky('#7fa6d9', '#ffdcc0'),
      sun(90, 250, 26, '#fff3cf'),
      mountains(280, 70, '#d08f72', '#b76e58'),
      balloon(390, 120, 2.1, '#e4572e', '#ffd166'),
      balloon(190, 96, 1.1, '#3d5a98', '#f4f1de'),
      balloon(500, 226, 0.8, '#6a994e', '#f2e8cf'),
      mountains(340, 60, '#9a5646', '#53262a'),
    ],
  },
  {
    owner: 'alice',
    album: 'Sand and stone',
    title: 'Red rocks at dusk',
    layers: [
      sky('#2c2a5c', '#f3a183'),
      sun(150, 150, 15, '#fff8ea'),
      mountains(230, 170, '#c8553d', '#7a2e35', 0.62),
      mountains(310, 90, '#8a3437', '#3c1626', 0.56),
    ],
  },
  {
    owner: 'bob',
    album: 'Nights in town',
    title: 'Everybody is home',
    layers: [
      sky('#141a3c', '#b0568a'),
      stars(60),
      houses(300, 210, '#332b5c', '#ffcf70'),
      houses(390, 150, '#15142e', '#ffe2a0'),
    ],
  },
  {
    owner: 'bob',
    album: 'Nights in town',
    title: 'Full moon',
    layers: [
      sky('#0a1128', '#2d4a7a'),
      stars(90),
      sun(420, 110, 42, '#f6f1dc'),
      mountains(290, 80, '#1f3358', '#14223f'),
      sea(310, '#24406c', '#0a1530', '#f6f1dc', 420),
    ],
  },
  {
    owner: 'bob',
    album: 'Nights in town',
    title: 'Blue hour',
    layers: [
      sky('#20306b', '#f7b98f', 0, 300),
      houses(300, 190, '#2b3a6e', '#ffdf9a'),
      sea(300, '#7b7395', '#121a3d', '#ffdf9a', 300),
    ],
  },
]

const photos = scenes.map(({ owner, album, title, layers }, index) => ({
  owner,
  photo: { id: `photo-${index + 1}`, title, album, image: landscape(index, layers) },
}))

/** For those who are not signed in; nobody's own. */
export const cover = landscape(20, [
  sky('#31437f', '#ffd9b8'),
  sun(420, 205, 22, '#fff6df'),
  mountains(220, 110, '#a98bb0', '#e3b1a6'),
  mountains(265, 120, '#6a6a9c', '#a98a9f', 0.54),
  mountains(310, 90, '#384a78', '#4d4a74', 0.5),
  firs(392, 60, '#16233f'),
])

export function photosOf(userId: string | undefined): Photo[] {
  return photos.filter(({ owner }) => owner === userId).map(({ photo }) => photo)
}
