from __future__ import annotations
from dataclasses import dataclass
import numpy as np
from scipy.special import softmax
from scipy.sparse import issparse
from sc_annotate.annotators._base import Annotator
from sc_annotate.annotators._inputs import check_fit, check_predict
from sc_annotate.annotators._moments import *
@dataclass
class MLP(Annotator):
    hidden: int = 100
    alpha: float = 1e-4
    epochs: int = 50
    learning_rate: float = 1e-3
    batch_size: int = 64
    floor:float=0.
    balance:float=0.
    def fit(self, X, y, *, genes, batch=None, rng=0):
        from sklearn.neural_network import MLPClassifier
        matrix, codes, classes = check_fit(X, y, genes, batch)
        self.classes_=classes
        mean,sd=mean_and_sd(matrix)
        sc=inverse_or_zero(sd)
        Z=scale_columns(matrix,sc)
        Z=(Z.toarray() if issparse(Z) else Z)-(mean*sc).astype(np.float32)
        m=MLPClassifier((self.hidden,),alpha=self.alpha,learning_rate_init=self.learning_rate,batch_size=min(self.batch_size,len(codes)),random_state=np.random.RandomState(rng))
        n=np.bincount(codes);w=(n**-self.balance)[codes];w*=len(codes)/w.sum()
        for _ in range(self.epochs): m.partial_fit(Z,codes,classes=np.arange(len(classes)),sample_weight=w)
        self.m=m;self.sc=sc;self.mean=mean
        return self
    def predict_proba(self,X):
        Z=scale_columns(X,self.sc).toarray()-(self.mean*self.sc).astype(np.float32)
        return self.m.predict_proba(Z).astype(np.float32)
