/** Draws an image of labels: every label its own colour, the background left out. */

import { VivLayerExtension } from "@vivjs/extensions";

// hues a golden section apart are told apart however many there are
const FRAGMENT = `uniform labelColorsUniforms {
  float strength;
} labelColors;

vec4 color_of_label(float label) {
  if (label < 0.5) return vec4(0.);
  float hue = fract(label * 0.61803398875);
  float value = 0.82 + 0.18 * fract(label * 0.38196601125);
  vec3 rgb = clamp(abs(mod(hue * 6. + vec3(0., 4., 2.), 6.) - 3.) - 1., 0., 1.);
  return vec4(mix(vec3(1.), rgb, 0.72) * value, labelColors.strength);
}
`;

const module = {
  name: "labelColors",
  uniformTypes: { strength: "f32" },
  fs: FRAGMENT,
  inject: { "fs:DECKGL_MUTATE_COLOR": "rgba = color_of_label(intensity[0]);\n" },
};

interface WithModels {
  props: { strength?: number };
  getModels: () => { shaderInputs: { setProps: (props: unknown) => void } }[];
}

export class LabelColors extends (VivLayerExtension as unknown as new () => object) {
  static readonly extensionName = "LabelColors";
  static readonly defaultProps = { strength: { type: "number", value: 0.5, compare: true } };

  getVivShaderTemplates() {
    return { modules: [module] };
  }

  updateState(this: WithModels) {
    for (const model of this.getModels()) {
      model.shaderInputs.setProps({ labelColors: { strength: this.props.strength ?? 0.5 } });
    }
  }
}
