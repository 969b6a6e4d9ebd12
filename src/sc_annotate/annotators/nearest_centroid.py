from __future__ import annotations
from dataclasses import dataclass
from typing import Literal
import numpy as np
from sc_annotate.annotators._inputs import check_fit, need_positive
from sc_annotate.annotators._linear import LinearAnnotator
from sc_annotate.annotators._moments import class_means, inverse_or_zero, typical_sd, mean_and_sd
@dataclass
class NearestCentroid(LinearAnnotator):
    sharpness: float = 1.0
    sc: str='within'
    shrink: float=0.
    def fit(self, X, y, *, genes, batch=None, rng=0):
        matrix, codes, classes = check_fit(X, y, genes, batch)
        means = class_means(matrix, codes, len(classes))
        mean,sd=mean_and_sd(matrix)
        scale = {'within':inverse_or_zero(typical_sd(matrix, codes, means)),'total':inverse_or_zero(sd),'none':np.ones(len(sd)),'half':inverse_or_zero(sd)**.5,'withinhalf':inverse_or_zero(typical_sd(matrix, codes, means))**.5}[self.sc]
        cen=(means-mean)*scale
        if self.shrink:
            counts=np.bincount(codes); m=np.sqrt(1/counts-1/len(codes))[:,None]*self.shrink
            cen=np.sign(cen)*np.maximum(np.abs(cen)-m,0)
        t=self.sharpness/np.sqrt(len(mean))
        b=-.5*np.square(cen).sum(1)-cen@(mean*scale)
        return self._set(classes, cen*t, b*t, scale=scale)
